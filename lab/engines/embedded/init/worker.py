"""Init's side of its workers, warm children that do things on request: the network worker, which changes
links, routes and nft rules, and the relay, through which packets of impaired paths pass.

Requests are answered in order. If a worker dies, the supervisor starts another, which gets the open
requests once more; one that two workers died of fails.
"""

import contextlib
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.init.components import Component, Supervisor
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.spawn import Process, Program

Done = Callable[[Any], None]
NETWORK = "network", "lab.engines.embedded.network.worker:main"
RELAY = "relay", "lab.engines.embedded.wan.relay:main"
TRIES = 2
MAX_ANSWER = 1 << 20


@dataclass
class Open:
    """A request without an answer so far."""

    function: str
    packet: bytes
    done: Done
    tries: int = 1


class Worker:
    """Sends requests to a worker process, given as name and entry, and hands its answers on."""

    def __init__(self, loop: Loop, supervisor: Supervisor, logs: Path, which: tuple[str, str]) -> None:
        self._name, entry = which
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._open: dict[int, Open] = {}
        self._requests = 0
        fd = self._theirs.fileno()
        process = Process(Program(entry=entry, argv=(str(fd),)), name=f"lab-{self._name}", keep_fds=(fd,))
        log = str(logs / f"{self._name}.log")
        component = Component(f"lab/{self._name}", "", process, log, when_started=[self._ask_again])
        loop.on_readable(self._ours.fileno(), self._answer)
        supervisor.start(component)

    def call(self, function: str, arguments: dict[str, Any], done: Done) -> None:
        """Ask for one function; `done` gets its result or an exception."""
        self._requests += 1
        request = {"id": self._requests, "function": function, "arguments": arguments}
        self._open[self._requests] = Open(function, json.dumps(request).encode(), done)
        self._ours.send(self._open[self._requests].packet)

    def _answer(self) -> None:
        answer = json.loads(self._ours.recv(MAX_ANSWER))
        request = self._open.pop(answer["id"], None)
        if request is None:
            return  # answered before
        if "error" in answer:
            request.done(LabError(answer["error"]))
        else:
            request.done(answer["result"])

    def _ask_again(self) -> None:
        """A fresh worker must not find what the last one left unread, only what is still wanted."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._theirs.recv(MAX_ANSWER, socket.MSG_DONTWAIT)
        for number, request in list(self._open.items()):
            request.tries += 1
            if request.tries > TRIES + 1:
                del self._open[number]
                request.done(LabError(f"the lab's {self._name} worker dies of {request.function}"))
            else:
                self._ours.send(request.packet)
