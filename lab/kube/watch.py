"""Watching a collection for ever: list, watch, reconnect, list again when history is gone.

One generator, used by informers and by everything that waits for a change. It never gives up; while
the server is away it yields LOST once, so that a caller can say so, and LISTED again afterwards; while it
has no such collection, ABSENT now and then.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from lab.base.log import get_logger
from lab.base.wait import Backoff, pause
from lab.kube.client import Client, Request, listed, selection
from lab.kube.errors import ApiError, Gone, NotFound
from lab.kube.kinds import Kind
from lab.kube.objects import Key, Object, compact, key, resource_version

log = get_logger(__name__)
SILENCE = 75.0
"""Seconds without a word after which a watch is opened again; servers send a bookmark every minute."""


@dataclass(frozen=True)
class Scope:
    """What is watched."""

    kind: Kind
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    metadata_only: bool = False
    """Objects without spec and status, for programs that follow many kinds."""

    def accept(self, kind: str) -> str:
        """The media type of an answer of `kind` (PartialObjectMetadata or its List)."""
        return f"application/json;as={kind};g=meta.k8s.io;v=v1" if self.metadata_only else "application/json"


@dataclass(frozen=True)
class Event:
    """ADDED, MODIFIED and DELETED carry an object; LISTED says that the current state is complete, ABSENT
    that the server has no such collection."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "LISTED", "LOST", "ABSENT"]
    object: Object


async def watch(client: Client, scope: Scope) -> AsyncIterator[Event]:
    """Yield the collection's objects as ADDED, then LISTED, then every change, without end.

    After a relist, objects that vanished meanwhile are yielded as DELETED (their last known state).
    """
    known: dict[Key, Object] = {}
    backoff = Backoff(0.1, 5.0)
    version = ""
    is_lost = False
    while True:
        try:
            if not version:
                version, events = await _relist(client, scope, known)
                for event in events:
                    yield event
                is_lost = False
                backoff.reset()
            async for event in _stream(client, scope, version):
                version = resource_version(event.object) or version
                if event.type == "LISTED":
                    continue  # a bookmark: only its version counts
                if event.type == "DELETED":
                    known.pop(key(event.object), None)
                else:
                    known[key(event.object)] = event.object
                yield event
                backoff.reset()
            await pause(0.05)  # the server ended the watch in good order: go on from `version`
        except Gone:
            version = ""
        except NotFound:
            yield Event("ABSENT", {})
            is_lost, version = True, ""
            await backoff.pause()
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if not is_lost:
                log.info("watch lost", kind=scope.kind.plural, server=client.server, error=error)
                yield Event("LOST", {})
            is_lost, version = True, ""
            await backoff.pause()


async def _relist(client: Client, scope: Scope, known: dict[Key, Object]) -> tuple[str, list[Event]]:
    request = Request(
        "GET",
        scope.kind.path(scope.namespace),
        selection(scope.labels, scope.fields),
        accept=scope.accept("PartialObjectMetadataList"),
    )
    answer = json.loads(await client.raw(request))
    current = {key(obj): compact(obj) for obj in listed(answer, scope.kind)}
    gone = [Event("DELETED", obj) for k, obj in known.items() if k not in current]
    fresh = [
        Event("MODIFIED" if k in known else "ADDED", obj)
        for k, obj in current.items()
        if k not in known or resource_version(known[k]) != resource_version(obj)
    ]
    known.clear()
    known.update(current)
    return str((answer.get("metadata") or {}).get("resourceVersion", "")), [
        *gone,
        *fresh,
        Event("LISTED", {}),
    ]


async def _stream(client: Client, scope: Scope, version: str) -> AsyncIterator[Event]:
    query = {
        **selection(scope.labels, scope.fields),
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
    }
    accept = scope.accept("PartialObjectMetadata")
    response = await client.open(
        Request("GET", scope.kind.path(scope.namespace), query, accept=accept, timeout=None, silence=SILENCE)
    )
    try:
        async for line in response.content:
            parsed = json.loads(line)
            if parsed["type"] == "ERROR":
                status = parsed["object"]
                error = Gone if status.get("code") == 410 else ApiError
                raise error(
                    int(status.get("code", 0)), str(status.get("reason", "")), str(status.get("message"))
                )
            kind: Any = "LISTED" if parsed["type"] == "BOOKMARK" else parsed["type"]
            yield Event(kind, compact(parsed["object"]))
    finally:
        response.close()
