"""Which resource types the API server serves at the moment, custom ones included."""

import asyncio
import json

from lab.kube.client import Client, Request
from lab.kube.errors import NotFound
from lab.kube.kinds import Kind


async def served_kinds(client: Client, *verbs: str) -> list[Kind]:
    """Every resource type, in its preferred version, that knows these verbs.

    Raises what the server said when a group does not answer: half a list would read as kinds that are gone.
    """
    groups = json.loads(await client.raw(Request("GET", "/apis")))
    versions = [g["preferredVersion"]["groupVersion"] for g in groups.get("groups") or ()]
    answers = await asyncio.gather(*(_resources(client, version) for version in ["v1", *versions]))
    return [kind for answer in answers for kind, known in answer if set(verbs) <= known]


async def _resources(client: Client, group_version: str) -> list[tuple[Kind, set[str]]]:
    path = f"/api/{group_version}" if "/" not in group_version else f"/apis/{group_version}"
    try:
        answer = json.loads(await client.raw(Request("GET", path)))
    except NotFound:
        return []  # removed since we asked for the groups
    group, _, version = group_version.rpartition("/")
    return [
        (
            Kind(group, version, str(r["kind"]), str(r["name"]), bool(r.get("namespaced"))),
            set(r.get("verbs") or ()),
        )
        for r in answer.get("resources") or ()
        if "/" not in r["name"]
    ]
