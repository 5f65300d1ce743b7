"""The client of init's control socket, for the command line and for node processes.

`call` sends one request and awaits its answer; `events` follows a cluster's container ends. Errors of init
come back as the exception type it named.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from lab.base.errors import LabError
from lab.base.state import LabDir, short_path
from lab.engines.embedded import wire
from lab.pocket.node.runtime import UnknownImage

ANSWER_SECONDS = 30.0


class InitGone(LabError):
    """The lab's host process does not answer."""


class Control:
    """One connection to a lab's init; use it as an async context manager."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self._socket = sock
        self._name = name
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[Any, list[int]]]] = {}
        self._events: list[asyncio.Queue[dict[str, Any] | None]] = []

    @classmethod
    def connect(cls, lab: LabDir) -> "Control":
        """Connect. Raises InitGone when nobody listens."""
        sock = wire.make_socket()
        sock.setblocking(False)
        try:
            with short_path(lab.control_socket) as path:
                sock.connect(path)
        except OSError as error:
            sock.close()
            raise InitGone(f"lab {lab.name} is not running: {error.strerror}", remedy="run `up`") from error
        control = cls(sock, lab.name)
        asyncio.get_running_loop().add_reader(sock.fileno(), control._read)
        return control

    async def __aenter__(self) -> "Control":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; open calls fail."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
        self._fail(InitGone(f"the connection to lab {self._name} was closed"))

    async def call(self, op: str, **arguments: Any) -> Any:
        """One request without descriptors."""
        result, _fds = await self.call_with_fds(op, (), **arguments)
        return result

    async def call_with_fds(self, op: str, fds: tuple[int, ...], **arguments: Any) -> tuple[Any, list[int]]:
        """One request; descriptors go along and may come back."""
        self._number += 1
        number = self._number
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            wire.send(self._socket, {"n": number, "op": op, **arguments}, fds)
            async with asyncio.timeout(ANSWER_SECONDS):
                result: tuple[Any, list[int]] = await future
                return result
        except TimeoutError as error:
            raise InitGone(f"the init of lab {self._name} did not answer {op!r}") from error
        except OSError as error:
            raise InitGone(f"cannot ask the init of lab {self._name} for {op!r}: {error}") from error
        finally:
            self._waiting.pop(number, None)

    async def events(self, cluster: str) -> AsyncIterator[dict[str, Any]]:
        """Ends of containers and execs of a cluster; ends when the connection does."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._events.append(queue)
        await self.call("subscribe", cluster=cluster)
        while (event := await queue.get()) is not None:
            yield event

    def _read(self) -> None:
        try:
            packet = wire.receive(self._socket)
        except BlockingIOError:
            return
        except OSError:
            packet = None
        if packet is None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._fail(InitGone(f"lab {self._name} has ended"))
            return
        message, fds = packet
        if "event" in message:
            for queue in self._events:
                queue.put_nowait(message["event"])
            return
        self._settle(message, fds)

    def _settle(self, message: wire.Message, fds: list[int]) -> None:
        future = self._waiting.get(message["n"])
        if future is None or future.done():
            for fd in fds:
                os.close(fd)
        elif "error" in message:
            future.set_exception(_error(message["error"]))
        else:
            future.set_result((message["ok"], fds))

    def _fail(self, error: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        for queue in self._events:
            queue.put_nowait(None)


def _error(body: dict[str, str]) -> Exception:
    if body["type"] == UnknownImage.__name__:
        return UnknownImage(body["message"])
    return LabError(body["message"], remedy=body.get("remedy", ""))
