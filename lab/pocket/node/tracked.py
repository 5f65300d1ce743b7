"""One container of a pod as the worker keeps it: attempts, probe verdicts, and the tasks around a run.

Mutable on purpose and owned by one pod worker; decisions are made on the frozen `view`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from lab.kube.objects import Object, uid
from lab.pocket.node.folder import PodFolder
from lab.pocket.node.handlers import Target, perform
from lab.pocket.node.kit import Kit
from lab.pocket.node.lastwords import last_words
from lab.pocket.node.lifecycle.attempts import Attempt, ContainerView, Waiting
from lab.pocket.node.outcome import Outcome
from lab.pocket.node.probes import Rule, watch
from lab.pocket.node.runtime import ContainerState


@dataclass
class Tracked:
    """State of one container; `changed` wakes the worker, `failed` asks it to restart the container."""

    pod: Object
    spec: dict[str, Any]
    kit: Kit
    folder: PodFolder
    changed: Callable[[], None]
    failed: Callable[[str, str], None]
    attempts: list[Attempt] = field(default_factory=list)
    next_number: int = 0
    started: bool = False
    ready: bool = False
    waiting: Waiting | None = None
    announced: bool = False
    """The back-off after the latest attempt has been told as an event."""
    hook: asyncio.Task[Outcome] | None = None
    """The postStart hook while it runs."""
    stopping: asyncio.Task[None] | None = None
    hurried: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _probes: list[asyncio.Task[None]] = field(default_factory=list)
    _ip: str = ""
    _early: ContainerState | None = None

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def id(self) -> str:
        """The id of the latest attempt."""
        return f"{uid(self.pod)}/{self.name}/{self.attempts[-1].number if self.attempts else 0}"

    def view(self) -> ContainerView:
        return ContainerView(self.name, tuple(self.attempts), self.started, self.ready, self.waiting)

    def adopt(self, state: ContainerState) -> None:
        """Take in an attempt that the runtime knows of (after a restart of the node)."""
        attempt = Attempt(int(state.id.rsplit("/", 1)[1]), state.started_at)
        self.attempts.append(attempt if state.exit_code is None else self._ended(attempt, state))
        self.attempts.sort(key=lambda attempt: attempt.number)
        self.next_number = self.attempts[-1].number + 1

    def begin(self, state: ContainerState, ip: str) -> None:
        """An attempt has started, or a running one was adopted: probe it."""
        if not self.attempts or self.attempts[-1].number != int(state.id.rsplit("/", 1)[1]):
            self.attempts.append(Attempt(self.next_number, state.started_at))
            self.next_number += 1
        self.waiting, self.ended, self.announced = None, asyncio.Event(), False
        self.started = not self.spec.get("startupProbe")
        self.ready = self.started and not self.spec.get("readinessProbe")
        self._ip = ip
        if self._early and self._early.id == state.id:
            state, self._early = self._early, None
        if state.exit_code is not None:
            self.end(state)
        elif self.started:
            self._probe_running()
        else:
            self._watch("startupProbe", self._startup)

    def hear(self, state: ContainerState) -> bool:
        """The runtime reports an end; False when it is not this container's.

        The end of a program that fails at once may come before the runtime's answer to its start.
        """
        if self.attempts and state.id == self.id:
            self.end(state)
            return True
        if state.id == f"{uid(self.pod)}/{self.name}/{self.next_number}":
            self._early = state
            return True
        return False

    def end(self, state: ContainerState) -> None:
        """The current attempt has ended."""
        for task in self._probes:
            task.cancel()
        self._probes.clear()
        self.started = self.ready = False
        self.attempts[-1] = self._ended(self.attempts[-1], state)
        self.ended.set()
        self.changed()

    def _ended(self, attempt: Attempt, state: ContainerState) -> Attempt:
        code = state.exit_code or 0
        file = self.folder.termination_path(self.name, attempt.number)
        log = self.folder.log_path(self.name, attempt.number)
        return replace(
            attempt,
            exit_code=code,
            finished_at=state.finished_at or state.started_at,
            reason="OOMKilled" if state.oom_killed else "",
            message=last_words(self.spec, file, log, code),
        )

    def cancel(self) -> None:
        """Stop probing and whatever else runs for this container; the container itself is left alone."""
        for task in [*self._probes, *filter(None, (self.stopping, self.hurried))]:
            task.cancel()
        self._probes.clear()
        self.abandon_hook()

    def abandon_hook(self) -> None:
        """The pod is being deleted: nobody waits for its postStart hook any longer."""
        if self.hook:
            self.hook.cancel()

    def target(self) -> Target:
        return Target(self.spec, self.id, self._ip)

    def _probe_running(self) -> None:
        self._watch("readinessProbe", self._readiness)
        self._watch("livenessProbe", self._liveness)

    def _watch(self, kind: str, report: Callable[[bool, str], None]) -> None:
        probe = self.spec.get(kind)
        if not probe:
            return
        target = self.target()

        def ask(timeout: float) -> Coroutine[Any, Any, Outcome]:
            return perform(probe, target, self.kit.execs, timeout)

        def unhealthy(message: str) -> None:
            word = kind.removesuffix("Probe").capitalize()
            self.event("Unhealthy", f"{word} probe failed: {message}", warning=True)

        self._probes.append(asyncio.create_task(watch(Rule.of(probe), ask, report, unhealthy)))

    def _startup(self, good: bool, message: str) -> None:
        if not good:
            self.failed(self.name, "startup")
            return
        self._probes.pop().cancel()
        self.started = True
        self.ready = not self.spec.get("readinessProbe")
        self._probe_running()
        self.changed()

    def _readiness(self, good: bool, message: str) -> None:
        self.ready = good
        self.changed()

    def _liveness(self, good: bool, message: str) -> None:
        if not good:
            self.failed(self.name, "liveness")

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self.kit.recorder.record(
            self.pod, reason, message, warning=warning, path=f"spec.containers{{{self.name}}}"
        )
