"""Port-forward sessions: pairs of a data and an error channel, each pair one TCP connection to the pod."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from lab.base.errors import LabError
from lab.pocket.node.api.spdy import Session, Stream
from lab.pocket.node.runtime import PodRuntime

BLOCK = 65536
CONNECT_SECONDS = 5.0
Connect = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""A port of the pod -> a connection to it."""


@dataclass(frozen=True)
class Channel:
    """One forwarded connection as the client sees it."""

    incoming: AsyncIterator[bytes]
    write: Callable[[bytes], Awaitable[None]]
    complain: Callable[[bytes], Awaitable[None]]


async def connect(
    runtime: PodRuntime, pod_uid: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the pod's own localhost, where also programs listen that nobody outside can reach."""
    inside = runtime.connector(pod_uid)
    inside.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(inside, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=inside)
    except BaseException:
        inside.close()
        raise


async def over_spdy(session: Session, connect: Connect) -> None:
    """Serve pairs of streams until the client goes away."""
    pairs: dict[str, dict[str, Stream]] = defaultdict(dict)
    async with asyncio.TaskGroup() as group:
        async for stream in session.streams():
            request = stream.headers.get("requestid", "")
            pair = pairs[request]
            pair[stream.headers.get("streamtype", "")] = stream
            if {"data", "error"} <= pair.keys():
                group.create_task(_pair(pairs.pop(request), connect))


async def _pair(pair: dict[str, Stream], connect: Connect) -> None:
    data, error = pair["data"], pair["error"]
    try:
        port = int(data.headers.get("port", "0"))
        await forward(Channel(data.chunks(), data.write, error.write), connect, port)
        await data.close()
        await error.close()
    except ConnectionError:
        return  # the client has gone; nobody is left to tell


async def over_channels(request: web.Request, connect: Connect) -> web.StreamResponse:
    """The older WebSocket form: channel 2n carries the data, 2n+1 the errors of the nth port asked for."""
    ports = [int(port) for value in request.query.getall("ports", []) for port in value.split(",")]
    if not ports:
        raise web.HTTPBadRequest(text="query parameter 'ports' is required")
    socket = web.WebSocketResponse(
        protocols=("v4.channel.k8s.io", "portforward.k8s.io"), max_msg_size=0, compress=False
    )
    await socket.prepare(request)
    inputs: list[asyncio.Queue[bytes | None]] = [asyncio.Queue(64) for _ in ports]

    async def read() -> None:
        async for message in socket:
            if message.type == WSMsgType.BINARY and message.data[0] // 2 < len(inputs):
                await inputs[message.data[0] // 2].put(message.data[1:])
        for queue in inputs:
            await queue.put(None)

    async def serve(index: int, port: int) -> None:
        def sender(channel: int) -> Callable[[bytes], Awaitable[None]]:
            return lambda data: socket.send_bytes(bytes([channel]) + data)

        for channel in (2 * index, 2 * index + 1):
            await sender(channel)(port.to_bytes(2, "little"))
        await forward(Channel(_drain(inputs[index]), sender(2 * index), sender(2 * index + 1)), connect, port)

    reader = asyncio.create_task(read())
    results = await asyncio.gather(*(serve(i, p) for i, p in enumerate(ports)), return_exceptions=True)
    await socket.close()
    reader.cancel()
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            raise result
    return socket


async def forward(channel: Channel, connect: Connect, port: int) -> None:
    """Carry bytes both ways until both sides are done; a refused connection is told on the error channel."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await connect(port)
    except (OSError, TimeoutError, LabError) as error:
        why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
        text = f"failed to connect to localhost:{port} inside the pod: {why or 'no answer'}"
        await channel.complain(text.encode())
        return
    upward = asyncio.create_task(_upward(channel, writer))
    try:
        while data := await reader.read(BLOCK):
            await channel.write(data)
    except ConnectionResetError:
        await channel.complain(f"the pod closed the connection to port {port}".encode())
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)
        writer.close()


async def _upward(channel: Channel, writer: asyncio.StreamWriter) -> None:
    async for data in channel.incoming:
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _drain(queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (data := await queue.get()) is not None:
        yield data
