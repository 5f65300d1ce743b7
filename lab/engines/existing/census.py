"""Finds objects of any kind that a cluster serves, by what the server itself says it has.

So nothing that a lab made is missed, whichever command made it and however that ended.
"""

import json
from collections.abc import Iterable

from lab.base.concurrent import together
from lab.base.log import get_logger
from lab.kube import objects
from lab.kube.client import Client, Request, listed, selection
from lab.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from lab.kube.kinds import Kind
from lab.kube.objects import Object

log = get_logger(__name__)
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
UNLISTABLE = 405
_PATIENCE = 60.0
"""Seconds for one list: large clusters have much to look through."""


async def kinds(client: Client) -> tuple[Kind, ...]:
    """Every kind whose objects can be listed and deleted, in the version that the server prefers."""
    groups = json.loads(await client.raw(Request("GET", "/apis")))["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    found = await together(*(_kinds_of(client, version) for version in versions))
    return tuple(kind for some in found for kind in some)


async def _kinds_of(client: Client, version: str) -> list[Kind]:
    path = f"/apis/{version}" if "/" in version else f"/api/{version}"
    try:
        rows = json.loads(await client.raw(Request("GET", path)))["resources"]
    except (Unavailable, NotFound) as error:  # an extension's server that is away has no object of a lab
        log.warning("kinds of an API group cannot be looked at", group=version, error=error)
        return []
    group, _, name = version.rpartition("/")
    return [
        Kind(group, name, row["kind"], row["name"], row["namespaced"])
        for row in rows
        if "/" not in row["name"] and {"list", "delete"} <= set(row["verbs"])
    ]


async def find(
    client: Client, among: Iterable[Kind], *, labels: str = "", namespace: str = ""
) -> list[tuple[Kind, Object]]:
    """The metadata of the objects of these kinds, of one namespace or all. Kinds that the user may not list
    are left out: the lab could not have made any."""
    asked = [kind for kind in among if kind.namespaced or not namespace]
    answers = await together(*(_list(client, kind, labels, namespace) for kind in asked))
    return [(kind, obj) for kind, objs in zip(asked, answers, strict=True) for obj in objs]


async def _list(client: Client, kind: Kind, labels: str, namespace: str) -> list[Object]:
    request = Request("GET", kind.path(namespace), selection(labels), accept=METADATA, timeout=_PATIENCE)
    try:
        answer = json.loads(await client.raw(request))
    except (Forbidden, NotFound):
        return []
    except ApiError as error:
        if error.status != UNLISTABLE:
            raise
        return []
    return [{**obj, "apiVersion": kind.api_version, "kind": kind.kind} for obj in listed(answer, kind)]


def is_independent(obj: Object) -> bool:
    """Whether nothing else made an object, so that it stays when all others go. Pure."""
    return not objects.meta(obj).get("ownerReferences")
