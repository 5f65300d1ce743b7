"""Port-forward sessions: pairs of a data and an error channel, each pair one TCP connection to the pod."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from lab.pocket.node.api.spdy import Session, Stream

BLOCK = 65536
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Channel:
    """One forwarded connection as the client sees it."""

    incoming: AsyncIterator[bytes]
    write: Callable[[bytes], Awaitable[None]]
    complain: Callable[[bytes], Awaitable[None]]


async def over_spdy(session: Session, ip: str) -> None:
    """Serve pairs of streams until the client goes away."""
    pairs: dict[str, dict[str, Stream]] = defaultdict(dict)
    async with asyncio.TaskGroup() as group:
        async for stream in session.streams():
            request = stream.headers.get("requestid", "")
            pair = pairs[request]
            pair[stream.headers.get("streamtype", "")] = stream
            if {"data", "error"} <= pair.keys():
                group.create_task(_pair(pairs.pop(request), ip))


async def _pair(pair: dict[str, Stream], ip: str) -> None:
    data, error = pair["data"], pair["error"]
    try:
        await forward(Channel(data.chunks(), data.write, error.write), ip, int(data.headers.get("port", "0")))
        await data.close()
        await error.close()
    except ConnectionError:
        return  # the client has gone; nobody is left to tell


async def over_channels(request: web.Request, ip: str) -> web.StreamResponse:
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
        await forward(Channel(_drain(inputs[index]), sender(2 * index), sender(2 * index + 1)), ip, port)

    reader = asyncio.create_task(read())
    results = await asyncio.gather(*(serve(i, p) for i, p in enumerate(ports)), return_exceptions=True)
    await socket.close()
    reader.cancel()
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            raise result
    return socket


async def forward(channel: Channel, ip: str, port: int) -> None:
    """Carry bytes both ways until both sides are done; a refused connection is told on the error channel."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(ip, port)
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {CONNECT_SECONDS:g} s"
        await channel.complain(f"cannot connect to port {port} of the pod at {ip}: {reason}".encode())
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
