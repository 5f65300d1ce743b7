"""Every object of a cluster, of all kinds that its API server lists; or of its store, when that is dead."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from lab.base.errors import LabError
from lab.kube import objects
from lab.kube.client import Client, Request, listed
from lab.kube.kinds import Kind
from lab.kube.objects import Object
from lab.ops.bundle.staging import Staging

PAGE_SECONDS = 20.0
EVENTS = "Event"


async def kinds(client: Client) -> list[Kind]:
    """The kinds that can be listed, each in the version that the server prefers."""
    groups = json.loads(await client.raw(Request("GET", "/apis")))["groups"]
    versions = [("", "v1"), *((one["name"], one["preferredVersion"]["version"]) for one in groups)]
    found = []
    for group, version in versions:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        for row in json.loads(await client.raw(Request("GET", path)))["resources"]:
            if "list" in row["verbs"] and "/" not in row["name"]:
                found.append(Kind(group, version, row["kind"], row["name"], row["namespaced"]))
    # Events are in two groups; the lab's own words for them are the old ones.
    return [kind for kind in found if kind.group != "events.k8s.io"]


async def live(client: Client, staging: Staging, cluster: str) -> list[Object]:
    """Everything, asked of the API server; a kind that cannot be listed is noted and left out."""
    found: list[Object] = []
    for kind in await kinds(client):
        try:
            answer = json.loads(await client.raw(Request("GET", kind.path(), timeout=PAGE_SECONDS)))
            found += listed(answer, kind)
        except LabError as error:
            staging.miss(f"{cluster}: objects of kind {kind.kind}", str(error))
    return found


def write(staging: Staging, cluster: str, found: Iterable[Object]) -> None:
    """A YAML file per kind, and the events as lines in the order in which they happened."""
    groups: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for obj in found:
        group = str(obj["apiVersion"]).rpartition("/")[0]
        groups[group, str(obj["kind"])].append(obj)
    for (group, kind), members in sorted(groups.items()):
        name = f"{kind}.{group}" if group else kind
        staging.yaml(f"clusters/{cluster}/objects/{name}.yaml", [_bare(one) for one in members])
        if kind == EVENTS:
            lines = sorted(map(_event_line, members))
            staging.text(f"clusters/{cluster}/events.txt", "".join(f"{line}\n" for line in lines))


def _bare(obj: Object) -> Object:
    """Without the record of who wrote which field, which is longer than the object."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _event_line(event: Object) -> str:
    about: dict[str, Any] = event.get("involvedObject") or event.get("regarding") or {}
    when = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    where = f"{about.get('kind', '')} {objects.namespace(event)}/{about.get('name', '')}"
    count = f" (x{event['count']})" if int(event.get("count") or 1) > 1 else ""
    what = event.get("message") or event.get("note") or ""
    return f"{when}  {event.get('type', ''):8} {event.get('reason', ''):24} {where}: {what}{count}"
