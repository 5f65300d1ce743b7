"""logs, exec, attach and port-forward: authorised calls handed to the node over its Unix socket.

The node decides everything about the stream itself; here only the target is checked, and bytes pass
through unread.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web

from lab.base.state import short_path
from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import (
    Cause,
    StatusError,
    Target,
    bad_request,
    invalid,
    invalid_value,
    not_found,
    unavailable,
)
from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.takeover import take_over

HEAD_LIMIT = 64 * 1024
PATHS = {"exec": "exec", "attach": "attach", "portforward": "portForward", "log": "containerLogs"}
HOP_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding"})


async def log(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    """Stream a container's log; that of a pod without a node is empty."""
    _check_log_options(call)
    if not _pod(api, call)["spec"].get("nodeName"):
        return web.Response(text="")
    path = _path(api, call, with_container=True)
    limit = aiohttp.ClientTimeout(total=None, sock_connect=5)
    try:
        with _socket(api) as socket:
            connector = aiohttp.UnixConnector(path=socket)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=limit, auto_decompress=False) as session,
                session.get(f"http://node{path}?{request.rel_url.raw_query_string}") as answer,
            ):
                if answer.status != 200:
                    raise _refused(answer.status, (await answer.read()).decode(errors="replace"))
                return await _relayed(request, answer)
    except aiohttp.ClientConnectorError as error:
        raise unavailable(f"the node of cluster {api.settings.name} does not answer: {error}") from error


async def _relayed(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # a reader that saw enough hangs up first
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    return response


async def connect(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    """Pass an upgraded stream (WebSocket or SPDY) through to the node."""
    if "upgrade" not in request.headers.get("Connection", "").lower():
        raise bad_request("Upgrade request required")
    path = _path(api, call, with_container=call.subresource != "portforward")
    try:
        with _socket(api) as socket:
            reader, writer = await asyncio.open_unix_connection(socket)
    except OSError as error:
        raise unavailable(f"the node of cluster {api.settings.name} does not answer: {error}") from error
    try:
        writer.write(_head(request, path))
        status, headers = await _answer_head(reader)
        if status != 101:
            raise _refused(status, (await reader.read(HEAD_LIMIT)).decode(errors="replace"))
        taken = await take_over(request, headers)
        await _pipe(taken, reader, writer)
        return taken.response
    finally:
        writer.close()


async def _pipe(taken: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both directions until either side ends."""

    async def outward() -> None:
        while data := await reader.read(65536):
            await taken.send(data)

    async def inward() -> None:
        while data := await taken.read():
            writer.write(data)
            await writer.drain()

    tasks = {asyncio.create_task(outward()), asyncio.create_task(inward())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(ConnectionError):  # either side may go first
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _head(request: web.BaseRequest, path: str) -> bytes:
    """The request as the node sees it: same upgrade, no credentials."""
    kept = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_HEADERS]
    lines = [f"{request.method} {path}?{request.rel_url.raw_query_string} HTTP/1.1", "Host: node"]
    lines += [f"{name}: {value}" for name, value in kept]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _answer_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise unavailable("the node hung up before it answered") from error
    first, *rest = head.strip().split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return int(first.split()[1]), {name.strip(): value.strip() for name, _, value in pairs}


def _path(api: Api, call: Call, *, with_container: bool) -> str:
    """The node's path for the pod and container that are meant. Raises StatusError if there is none."""
    pod = _pod(api, call)
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {call.name} does not have a host assigned")
    parts = [PATHS[call.subresource], call.namespace, call.name]
    if with_container:
        parts.append(_container(pod, call))
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _pod(api: Api, call: Call) -> Object:
    record = api.store.get(Key("/pods", call.namespace, call.name))
    if record is None:
        raise not_found(call.resource.target(call.name))
    return record.copy()


def _check_log_options(call: Call) -> None:
    causes = []
    for field, least in (("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1)):
        text = call.query.get(field, str(least))
        if not text.lstrip("-").isdigit():
            raise bad_request(f'{field}: "{text}" is not a number')
        if int(text) < least:
            wanted = "must be greater than 0" if least else "must be greater than or equal to 0"
            causes.append(invalid_value(field, int(text), wanted))
    if {"sinceTime", "sinceSeconds"} <= call.query.keys():
        text = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(Cause("", text, "FieldValueForbidden"))
    if causes:
        raise invalid(Target("pods", "", call.name, "PodLogOptions"), causes)


def _container(pod: Object, call: Call) -> str:
    spec = pod["spec"]
    names = [str(c["name"]) for c in spec["containers"]]
    others = [str(c["name"]) for c in spec.get("initContainers") or []]
    asked = call.query.get("container", "")
    if asked and asked not in (*names, *others):
        raise bad_request(f"container {asked} is not valid for pod {call.name}")
    if not asked and len(names) > 1:
        text = f"a container name must be specified for pod {call.name}, choose one of: [{' '.join(names)}]"
        raise bad_request(f"{text} or one of the init containers: [{' '.join(others)}]" if others else text)
    return asked or names[0]


@contextlib.contextmanager
def _socket(api: Api) -> Iterator[str]:
    """The node's socket under a name that is short enough to connect to."""
    socket = api.settings.kubelet_socket
    if socket is None:
        raise unavailable("this API server has no node: --kubelet-socket was not given")
    with short_path(socket) as path:
        yield path


def _refused(status: int, said: str) -> StatusError:
    reasons = {400: "BadRequest", 404: "NotFound"}
    return StatusError(status, reasons.get(status, "InternalError"), said.strip() or "the node refused")
