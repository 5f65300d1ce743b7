"""A PodRuntime in memory: containers are records that a test ends when it wants to.

Execs run nothing: `answers` maps an argv to (exit code, stdout). Signals end a container unless its name
is in `stubborn`, which only SIGKILL ends.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from lab.pocket.node.runtime import Container, ContainerState, Exec, Sandbox, UnknownImage


class MemoryRuntime:
    def __init__(self) -> None:
        self.sandboxes: dict[str, Sandbox] = {}
        self.specs: dict[str, Container] = {}
        self.states: dict[str, ContainerState] = {}
        self.signals: list[tuple[str, int]] = []
        self.answers: dict[tuple[str, ...], tuple[int, bytes]] = {}
        self.killed_execs: list[str] = []
        self.execs: list[tuple[str, tuple[str, ...]]] = []
        self.order: list[str] = []
        """Starts and execs as they came."""
        self.sizes: list[tuple[int, int]] = []
        self.inputs: dict[str, int] = {}
        """Container id -> what an attached client types."""
        self.stubborn: set[str] = set()
        self.instant: dict[str, int] = {}
        """Container name -> exit code, for programs that end at once."""
        self.pod_ip = ""
        self._going_on = threading.Event()
        self._going_on.set()
        self._queues: list[asyncio.Queue[ContainerState]] = []
        self._threads: list[threading.Thread] = []

    async def sandbox(self, pod_uid: str, namespace: str, name: str, hostname: str) -> Sandbox:
        ip = self.pod_ip or f"10.20.0.{len(self.sandboxes) + 2}"
        made = Sandbox(pod_uid, namespace, name, hostname, ip)
        return self.sandboxes.setdefault(pod_uid, made)

    async def remove_sandbox(self, pod_uid: str) -> None:
        self.sandboxes.pop(pod_uid, None)
        for each in [s for s in self.states.values() if s.pod_uid == pod_uid]:
            del self.states[each.id]

    async def start(self, container: Container) -> ContainerState:
        if container.image.startswith("unknown"):
            raise UnknownImage("map it under `images:`")
        self.specs[container.id] = container
        self.order.append(f"start {container.id.split('/')[1]}")
        self.log(container.id, "start")
        state = ContainerState(container.id, container.pod_uid, 1, time.time())
        self.states[container.id] = state
        code = self.instant.get(container.id.split("/")[1])
        if code is not None:
            self.end(container.id, code)
        return state

    async def signal(self, container_id: str, signum: int) -> None:
        if container_id.startswith("exec-"):
            self.killed_execs.append(container_id)
            return
        self.signals.append((container_id, signum))
        if container_id.split("/")[1] not in self.stubborn or signum == signal.SIGKILL:
            self.end(container_id, 128 + signum)

    async def exec(self, container_id: str, argv: Sequence[str], *, tty: bool) -> Exec:
        self.execs.append((container_id, tuple(argv)))
        self.order.append(f"exec {argv[0]}")
        stdin, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
        exec_id = f"exec-{len(self.execs)}"
        code, said = self.answers.get(tuple(argv), (0, b""))
        loop = asyncio.get_running_loop()

        def work() -> None:
            heard = b""
            self._going_on.wait()
            while argv[0] == "cat" and (data := os.read(stdin[0], 65536)):
                heard += data
            os.write(stdout[1], said or heard)
            for fd in (stdin[0], stdout[1], stderr[1]):
                os.close(fd)
            state = ContainerState(exec_id, "", 2, time.time(), code, time.time())
            loop.call_soon_threadsafe(self._tell, state)

        thread = threading.Thread(target=work)
        thread.start()
        self._threads.append(thread)
        return Exec(exec_id, (stdin[1], stdout[0], stderr[0]))

    async def attach(self, container_id: str) -> int:
        read, write = os.pipe()
        self.inputs[container_id] = read
        return write

    def connector(self, pod_uid: str) -> socket.socket:
        return socket.socket()

    async def containers(self) -> list[ContainerState]:
        return list(self.states.values())

    async def resize(self, exec_id: str, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    async def events(self) -> AsyncIterator[ContainerState]:
        queue: asyncio.Queue[ContainerState] = asyncio.Queue()
        self._queues.append(queue)
        while True:
            yield await queue.get()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Execs that start meanwhile end with the block."""
        self._going_on.clear()
        try:
            yield
        finally:
            self._going_on.set()
            for thread in self._threads:
                thread.join()

    def log(self, container_id: str, line: str) -> None:
        """What a container would write."""
        with open(self.specs[container_id].log_path, "a") as log:
            log.write(line + "\n")

    def end(self, container_id: str, code: int, *, oom_killed: bool = False) -> None:
        state = self.states.get(container_id)
        if state is None or state.exit_code is not None:
            return
        self.states[container_id] = replace(
            state, exit_code=code, finished_at=time.time(), oom_killed=oom_killed
        )
        self._tell(self.states[container_id])

    def running(self, container: str) -> list[str]:
        """Ids of running attempts of containers by that name."""
        return [s.id for s in self.states.values() if s.exit_code is None and s.id.split("/")[1] == container]

    def _tell(self, state: ContainerState) -> None:
        for queue in self._queues:
            queue.put_nowait(state)
