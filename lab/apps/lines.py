"""A line protocol over TCP: server side for stock and echo, client side with connections that are
kept.

Kept connections make the demo behave like a database client; they are given up after `MAX_AGE` seconds so
that opaque traffic, which a proxy balances per connection, comes back after a failover.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

Answer = Callable[[str], Awaitable[str | None]]
MAX_AGE = 3.0
MAX_IDLE = 8


async def listen_lines(stack: AsyncExitStack, answer: Answer, port: int) -> int:
    """Answer each line with a line; an answer of None closes the connection (the fault "reset")."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while line := await reader.readline():
                reply = await answer(line.decode(errors="replace").rstrip("\r\n"))
                if reply is None:
                    break
                writer.write(reply.encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            return  # the caller went away: nothing is left to tell it
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=1024)

    async def close() -> None:
        server.close()
        for writer in list(writers):
            writer.close()
        await server.wait_closed()

    stack.push_async_callback(close)
    bound: int = server.sockets[0].getsockname()[1]
    return bound


@dataclass(eq=False)
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    born: float

    async def ask(self, line: str) -> str:
        self.writer.write(line.encode() + b"\n")
        await self.writer.drain()
        reply = await self.reader.readline()
        if not reply.endswith(b"\n"):
            raise ConnectionResetError("closed the connection before it replied")
        return reply.decode().rstrip("\n")


class LineClient:
    """Asks one address over kept connections; a connection that breaks is replaced once per question."""

    def __init__(self, address: str) -> None:
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self._idle: list[Connection] = []

    async def ask(self, line: str, timeout: float) -> str:
        async with asyncio.timeout(timeout):
            while kept := self._take():
                try:
                    return await self._ask(kept, line)
                except ConnectionError:
                    continue  # it may have died while idle: the next one, or a fresh one, decides
            return await self._ask(await self._dial(), line)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().writer.close()

    async def _dial(self) -> Connection:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        return Connection(reader, writer, time.monotonic())

    def _take(self) -> Connection | None:
        while self._idle:
            kept = self._idle.pop()
            if time.monotonic() - kept.born < MAX_AGE and not kept.reader.at_eof():
                return kept
            kept.writer.close()
        return None

    async def _ask(self, connection: Connection, line: str) -> str:
        try:
            reply = await connection.ask(line)
        except BaseException:
            connection.writer.close()
            raise
        if len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.writer.close()
        return reply
