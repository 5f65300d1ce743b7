"""Init's side of the network worker: one warm child that changes links, routes and nft rules on request.

Requests are answered in order. If the worker dies, open requests fail and the supervisor starts another.
"""

import json
import socket
from collections.abc import Callable
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.init.components import Component, Supervisor
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.spawn import Process, Program

Done = Callable[[Any], None]
ENTRY = "lab.engines.embedded.network.worker:main"
KEY = "lab/network"


class Worker:
    """Sends requests to the worker process and hands its answers on."""

    def __init__(self, loop: Loop, supervisor: Supervisor, log: str) -> None:
        self._loop = loop
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._waiting: dict[int, tuple[str, Done]] = {}
        self._requests = 0
        fd = self._theirs.fileno()
        process = Process(Program(entry=ENTRY, argv=(str(fd),)), name="lab-network", keep_fds=(fd,))
        component = Component(KEY, "", process, log, when_started=[self._started])
        loop.on_readable(self._ours.fileno(), self._answer)
        supervisor.start(component)

    def call(self, function: str, arguments: dict[str, Any], done: Done) -> None:
        """Ask for one function; `done` gets its result or an exception."""
        self._requests += 1
        self._waiting[self._requests] = (function, done)
        request = {"id": self._requests, "function": function, "arguments": arguments}
        self._ours.send(json.dumps(request).encode())

    def _answer(self) -> None:
        answer = json.loads(self._ours.recv(1 << 20))
        if answer["id"] not in self._waiting:
            return  # its asker has been told already that the worker died
        _function, done = self._waiting.pop(answer["id"])
        if "error" in answer:
            done(LabError(answer["error"]))
        else:
            done(answer["result"])

    def _started(self) -> None:
        """A fresh worker: what the last one was asked and did not answer has failed."""
        waiting, self._waiting = self._waiting, {}
        for function, done in waiting.values():
            done(LabError(f"the lab's network worker died during {function}", remedy="run `up` again"))
