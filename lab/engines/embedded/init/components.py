"""Supervises the lab's own programs (an API server and a node per cluster, the network worker).

A component that ends by itself is started again with a short, growing delay and is counted; one that was
stopped on purpose, or whose cluster is paused, stays down. Connections to a stopped API server's host
port are closed at once, as a machine without a listener would do.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.init import processes
from lab.engines.embedded.init.children import Children
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.spawn import Process

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
STEADY = 10.0
GRACE = 1.0
Done = Callable[[Any], None]


@dataclass
class Component:
    """One supervised program; `process` says how to start it, `log` where its output goes."""

    key: str
    cluster: str
    process: Process
    log: str
    listener: socket.socket | None = None
    pid: int = 0
    started_at: float = 0.0
    wanted: bool = True
    restarts: int = 0
    last_exit: int | None = None
    delay: float = FIRST_DELAY
    when_stopped: list[Done] = field(default_factory=list)
    when_started: list[Callable[[], None]] = field(default_factory=list)


class Supervisor:
    """The table of components, by key `<cluster>/<name>`."""

    def __init__(self, loop: Loop, children: Children, is_paused: Callable[[str], bool]) -> None:
        self._loop = loop
        self._children = children
        self._is_paused = is_paused
        self._table: dict[str, Component] = {}

    def start(self, component: Component) -> None:
        """Add a component and start it, or start the known one again if it is stopped."""
        known = self._table.setdefault(component.key, component)
        if known is not component:
            known.process = component.process
        known.wanted = True
        known.delay = FIRST_DELAY
        if known.pid == 0:
            self._launch(known)

    def stop(self, key: str, done: Done) -> None:
        """Stop a component and keep it down; `done` once it is gone. Stopping twice is fine."""
        component = self._get(key)
        component.wanted = False
        self._refuse(component)
        if component.pid == 0:
            done(None)
            return
        component.when_stopped.append(done)
        pid = component.pid
        processes.send([pid], signal.SIGTERM)
        self._loop.later(GRACE, lambda: self._kill_if(component, pid))

    def kill(self, key: str, done: Done) -> None:
        """End a component at once, without a word to it, and keep it down; `done` once it is gone."""
        component = self._get(key)
        component.wanted = False
        if component.pid == 0:
            done(None)
            return
        component.when_stopped.append(done)
        processes.send([component.pid], signal.SIGKILL)

    def is_stopped(self, key: str) -> bool:
        """Whether a component is known and is down on purpose."""
        component = self._table.get(key)
        return component is not None and not component.wanted and component.pid == 0

    def resume(self, key: str) -> None:
        """Start a stopped component again as it was."""
        self.start(self._get(key))

    def retire(self) -> None:
        """The lab ends: nothing is started again."""
        for component in self._table.values():
            component.wanted = False

    def forget(self, cluster: str) -> None:
        """Drop a cluster's components; whoever removes the cluster kills their processes."""
        for key in [k for k, c in self._table.items() if c.cluster == cluster]:
            component = self._table.pop(key)
            component.wanted = False
            if component.listener:
                self._loop.forget(component.listener.fileno())

    def start_missing(self, cluster: str) -> None:
        """After a pause: start what died meanwhile."""
        for component in self._table.values():
            if component.cluster == cluster and component.wanted and component.pid == 0:
                self._launch(component)

    def describe(self) -> list[dict[str, Any]]:
        """All components with their state as it is now."""
        return [
            {
                "key": c.key,
                "cluster": c.cluster,
                "state": self._state(c),
                "pid": c.pid,
                "restarts": c.restarts,
                "last_exit": c.last_exit,
            }
            for c in self._table.values()
        ]

    def pids(self, cluster: str) -> list[int]:
        """The processes of a cluster's components."""
        return [c.pid for c in self._table.values() if c.cluster == cluster and c.pid]

    def running(self) -> dict[str, int]:
        """The running components' processes, by key."""
        return {c.key: c.pid for c in self._table.values() if c.pid}

    def _get(self, key: str) -> Component:
        if key not in self._table:
            raise LabError(f"no component {key!r}; there are {', '.join(sorted(self._table)) or 'none'}")
        return self._table[key]

    def _state(self, component: Component) -> str:
        if component.pid == 0:
            return "restarting" if component.wanted else "stopped"
        return "paused" if processes.state(component.pid) in ("T", "t") else "running"

    def _launch(self, component: Component) -> None:
        if not component.wanted or component.pid or self._is_paused(component.cluster):
            return
        self._admit(component)
        log = os.open(component.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        fds = (component.listener.fileno(),) if component.listener else ()
        process = replace(
            component.process, stdio=(null, log, log), keep_fds=(*component.process.keep_fds, *fds)
        )
        component.started_at = time.monotonic()
        component.pid = self._children.start(process, lambda code: self._ended(component, code))
        os.close(log)
        os.close(null)
        for callback in component.when_started:
            callback()

    def _ended(self, component: Component, code: int) -> None:
        component.pid = 0
        component.last_exit = code
        waiting, component.when_stopped = component.when_stopped, []
        for done in waiting:
            done(None)
        if not component.wanted:
            return
        component.restarts += 1
        if time.monotonic() - component.started_at > STEADY:
            component.delay = FIRST_DELAY
        self._loop.later(component.delay, lambda: self._launch(component))
        component.delay = min(component.delay * 2, LONGEST_DELAY)

    def _kill_if(self, component: Component, pid: int) -> None:
        if component.pid == pid and not component.wanted:
            processes.send([pid], signal.SIGKILL)

    def _refuse(self, component: Component) -> None:
        listener = component.listener
        if listener is None:
            return

        def turn_away() -> None:
            try:
                listener.accept()[0].close()
            except OSError:
                return

        self._loop.forget(listener.fileno())
        self._loop.on_readable(listener.fileno(), turn_away)

    def _admit(self, component: Component) -> None:
        if component.listener:
            self._loop.forget(component.listener.fileno())
