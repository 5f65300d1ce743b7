"""watch: a stream of changes of one kind, filtered by selectors, from a revision or from now.

The subscription is taken before the first read, in the same step, so nothing falls in between.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from aiohttp import web

from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import StatusError, expired
from lab.pocket.apiserver.http.negotiate import Shape
from lab.pocket.apiserver.http.respond import shaped
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.versions import to_served
from lab.pocket.apiserver.storage.record import Change, Object, Record
from lab.pocket.apiserver.storage.store import Gone
from lab.pocket.apiserver.storage.watch import Subscription

from .options import number
from .read import matcher, too_large_revision

BOOKMARK_SECONDS = 60.0
_PORTION = 64 * 1024  # bytes
_INITIAL_END = {"k8s.io/initial-events-end": "true"}


@dataclass
class Stream:
    """One open watch: what it shows and in which shape."""

    call: Call
    shape: Shape
    matches: Callable[[Object], bool] | None
    bookmarks: bool
    headed: bool = False  # a Table's column definitions went out

    def encode(self, kind: str, record: Record) -> bytes:
        resource = self.call.resource
        as_stored = resource.conversion is None and resource.stored_api_version == resource.api_version
        if as_stored and not self.shape.as_kind:
            return b'{"type":"%s","object":%s}\n' % (kind.encode(), record.raw)
        return self.encode_object(kind, to_served(resource, record.obj))

    def encode_object(self, kind: str, obj: Object) -> bytes:
        shown = shaped(self.call.resource, obj, self.shape, self.call.query)
        if self.shape.as_kind == "Table":
            if self.headed and kind != "BOOKMARK":
                shown["columnDefinitions"] = None
            self.headed = True
        event = {"type": kind, "object": shown}
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def initial(self, records: list[Record]) -> Iterator[bytes]:
        for record in records:
            if self.matches is None or self.matches(to_served(self.call.resource, record.obj)):
                yield self.encode("ADDED", record)

    def change(self, change: Change) -> bytes | None:
        """What this watcher sees of a change: objects enter and leave its selection."""
        kind = change.type
        if self.matches is not None:
            old, new = self._matching(change)
            if not new and not old:
                return None
            if not new and change.type != "DELETED" and change.previous is not None:
                return self._left(change.previous.obj, change.revision)
            kind = "DELETED" if not new else "MODIFIED" if old else "ADDED"
        return self.encode(kind, change.record)

    def _left(self, last: Object, revision: int) -> bytes:
        """An object that left the selection: as it was when it last belonged to it, at the new revision."""
        meta = {**last["metadata"], "resourceVersion": str(revision)}
        return self.encode_object("DELETED", to_served(self.call.resource, {**last, "metadata": meta}))

    def error(self, error: StatusError) -> bytes:
        event = {"type": "ERROR", "object": error.body()}
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"

    def _matching(self, change: Change) -> tuple[bool, bool]:
        """Whether the object was, and is, in this watcher's selection."""
        if self.matches is None:
            return True, True
        resource, before = self.call.resource, change.previous
        new = change.type != "DELETED" and self.matches(to_served(resource, change.record.obj))
        return before is not None and self.matches(to_served(resource, before.obj)), new

    def concerned(self, change: Change) -> bool:
        return any(self._matching(change))

    def changes(self, found: Iterable[Change]) -> Iterator[bytes]:
        return (chunk for one in found if (chunk := self.change(one)) is not None)

    def bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> bytes:
        resource: Resource = self.call.resource
        metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        return self.encode_object("BOOKMARK", obj)


async def watch(api: Api, call: Call, request: web.BaseRequest, shape: Shape) -> web.StreamResponse:
    stream = Stream(call, shape, matcher(call), _on(call, "allowWatchBookmarks"))
    seconds = _timeout(call)
    response = web.StreamResponse(
        headers={"Content-Type": _content_type(shape), "Cache-Control": "no-cache, private"}
    )
    try:
        subscription, first = _open(api, call, stream)
    except Gone as error:  # told within the stream, as upstream's watch cache does
        text = f"too old resource version: {call.query['resourceVersion']} ({error.floor})"
        await response.prepare(request)
        await response.write(stream.error(expired(text)))
        await response.write_eof()
        return response
    if stream.matches is not None and call.resource.conversion is None:
        subscription.concerns = stream.concerned
    try:
        await response.prepare(request)
        if request.transport is not None:
            subscription.cut = request.transport.abort
        await _write(response, first)
        await _follow(api, stream, response, subscription, seconds)
        await response.write_eof()
    except ConnectionResetError:
        return response  # the client went away, as watchers do
    finally:
        subscription.close()
    return response


def _content_type(shape: Shape) -> str:
    return shape.media if not shape.as_kind else f"{shape.media};as={shape.as_kind};v=v1;g=meta.k8s.io"


def _on(call: Call, name: str) -> bool:
    return call.query.get(name, "").lower() in ("1", "true")


def _timeout(call: Call) -> float:
    return float(number(call, "timeoutSeconds")) or 1800.0 + random.random() * 1800.0


def _open(api: Api, call: Call, stream: Stream) -> tuple[Subscription, Iterable[bytes]]:
    prefix, store = call.resource.prefix, api.store
    wanted = number(call, "resourceVersion")
    initial = call.query.get("sendInitialEvents")
    if wanted > store.head:
        raise too_large_revision(wanted, store.head)
    synthetic = wanted == 0 if initial is None else _on(call, "sendInitialEvents")
    if synthetic:
        subscription = store.subscribe(prefix, call.namespace, store.head)
        first = stream.initial(store.list(prefix, call.namespace))
        if initial is not None and stream.bookmarks:
            return subscription, chain(first, [stream.bookmark(store.head, _INITIAL_END)])
        return subscription, first
    return store.subscribe(prefix, call.namespace, wanted or store.head), []


async def _follow(
    api: Api, stream: Stream, response: web.StreamResponse, subscription: Subscription, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    next_bookmark = loop.time() + BOOKMARK_SECONDS
    while (now := loop.time()) < end and not subscription.dropped:
        until = min(end, next_bookmark) if stream.bookmarks else end
        changes = await subscription.take(max(until - now, 0.001))
        chunks = stream.changes(changes)
        if stream.bookmarks and loop.time() >= min(next_bookmark, end):
            last = stream.bookmark(changes[-1].revision if changes else api.store.head)
            chunks = chain(chunks, [last])
            next_bookmark = loop.time() + BOOKMARK_SECONDS
        await _write(response, chunks)


async def _write(response: web.StreamResponse, chunks: Iterable[bytes]) -> None:
    """In portions: a reader that does not read holds one of them, not a whole list."""
    portion: list[bytes] = []
    size = 0
    for chunk in chunks:
        portion.append(chunk)
        size += len(chunk)
        if size >= _PORTION:
            await response.write(b"".join(portion))
            portion, size = [], 0
    if portion:
        await response.write(b"".join(portion))
