"""The life of one pod on this node: sandbox, volumes, containers, probes, status, graceful end.

One task per pod. Everything that happens (the pod object changed, a container ended, a probe's verdict
changed, a ConfigMap changed, time) wakes it; it then asks `lifecycle` what to do and does that.
"""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path

from lab.base.errors import LabError
from lab.base.wait import Backoff
from lab.kube.objects import Object, is_deleting, uid
from lab.pocket.node.ending import begin_stop, delete_object, grace_of, hurry, stop_all
from lab.pocket.node.fields import BadReference
from lab.pocket.node.folder import PodFolder
from lab.pocket.node.kit import Kit
from lab.pocket.node.lifecycle.attempts import Waiting
from lab.pocket.node.lifecycle.steps import init_containers, main_containers, next_steps
from lab.pocket.node.limits import Limits
from lab.pocket.node.recovery import recover
from lab.pocket.node.reporting import Reporter
from lab.pocket.node.runtime import ContainerState
from lab.pocket.node.sandboxing import make_sandbox
from lab.pocket.node.starting import start
from lab.pocket.node.tracked import Tracked


class PodWorker:
    """Runs one pod until it is gone; `known` are its containers as the runtime has them."""

    def __init__(self, kit: Kit, pod: Object, known: Iterable[ContainerState] = ()) -> None:
        self._kit, self._pod, self._gone = kit, pod, False
        self._wake = asyncio.Event()
        self._folder = PodFolder(kit, pod)
        self._limits = Limits(self._folder)
        self._backoff = Backoff(0.1, 5.0)
        self._ip, self._stale = "", False
        specs = init_containers(pod) + main_containers(pod)
        self._containers = {
            spec["name"]: Tracked(pod, spec, kit, self._folder, self._wake.set, self._probe_failed)
            for spec in specs
        }
        self._reporter = Reporter(kit, pod, self._containers)
        self._known = list(known)

    @property
    def pod(self) -> Object:
        return self._pod

    def update(self, pod: Object | None) -> None:
        """The API server's word on the pod changed; None = it is no longer there."""
        if pod is None:
            self._gone = True
        else:
            if is_deleting(pod):
                for tracked in self._containers.values():
                    tracked.abandon_hook()
            if is_deleting(self._pod) and grace_of(pod) < grace_of(self._pod):
                hurry(self._containers, grace_of(pod))
            self._stale |= pod["metadata"].get("labels") != self._pod["metadata"].get("labels")
            self._stale |= pod["metadata"].get("annotations") != self._pod["metadata"].get("annotations")
            self._pod = pod
        self._wake.set()

    def source_changed(self, kind: str, source: str) -> None:
        """A ConfigMap or Secret of the pod's namespace changed."""
        for tracked in self._containers.values():
            if tracked.waiting and tracked.waiting.reason == "CreateContainerConfigError":
                tracked.waiting = Waiting(tracked.waiting.reason, tracked.waiting.message, 0.0)
        self._stale |= (kind, source) in self._folder.references
        self._wake.set()

    def ended(self, state: ContainerState) -> bool:
        """A container of this pod ended; False when it is not one of ours."""
        if any(known.id == state.id for known in self._known):
            self._known = [state if known.id == state.id else known for known in self._known]
            return True
        return any(tracked.hear(state) for tracked in self._containers.values())

    def container(self, container: str) -> Tracked | None:
        """One container, for the kubelet API."""
        return self._containers.get(container)

    def log_files(self) -> list[Path]:
        """The log of each running container."""
        running = (t for t in self._containers.values() if t.view().running)
        return [self._folder.log_path(tracked.name, tracked.attempts[-1].number) for tracked in running]

    @property
    def folder(self) -> PodFolder:
        return self._folder

    @property
    def ip(self) -> str:
        return self._ip

    async def run(self) -> None:
        """Live the pod's life; return when nothing of it is left on this node."""
        try:
            while not (self._gone or is_deleting(self._pod)):
                self._wake.clear()
                await self._rest(await self._step())
            await self._terminate()
        finally:
            for tracked in self._containers.values():
                tracked.cancel()
            self._reporter.cancel()

    async def _step(self) -> float | None:
        """Do what is due; return when more falls due without an event."""
        if self._is_over_a_limit() and not self._known:
            self._stop_running()
            self._reporter.publish(self._pod, self._ip)
            return None
        try:
            if not self._ip and not await self._prepare():
                return None
            if self._stale or (self._folder.tokens.renew_at or time.time() + 1) <= time.time():
                self._stale = False
                await self._folder.refresh(self._reporter.seen(self._pod, self._ip))
            self._backoff.reset()
        except LabError as error:
            reason = "FailedMount" if isinstance(error, BadReference) else "FailedCreatePodSandBox"
            self._kit.recorder.record(self._pod, reason, str(error), warning=True)
            self._stale = bool(self._ip)
            self._reporter.publish(self._pod, self._ip)
            return time.time() + self._backoff.next()
        if self._reporter.failure:
            self._wake.set()  # what still ran has been adopted, and is stopped in the next step
            return None
        views = {n: tracked.view() for n, tracked in self._containers.items()}
        steps = next_steps(self._pod, views, time.time())
        for sidecar in steps.stop:
            begin_stop(self._pod, self._containers[sidecar], f"Stopping container {sidecar}")
        if steps.start:
            seen = self._reporter.seen(self._pod, self._ip)
            for container in steps.start:  # in order: a postStart hook holds up the containers behind it
                await start(seen, self._containers[container], self._folder)
            self._wake.set()
        self._reporter.publish(self._pod, self._ip)
        look_at = self._limits.next_look(self._reporter.seen(self._pod, self._ip))
        dues = [at for at in (steps.wake_at, self._folder.tokens.renew_at, look_at) if at is not None]
        return min(dues, default=None)

    def _is_over_a_limit(self) -> bool:
        """A pod that is, now or since before, has failed: nothing of it is started again."""
        if self._reporter.failure is None:
            self._reporter.failure = self._limits.exceeded(self._reporter.seen(self._pod, self._ip))
            if failure := self._reporter.failure:
                self._kit.recorder.record(self._pod, failure.reason, failure.message, warning=True)
        return self._reporter.failure is not None

    def _stop_running(self) -> None:
        for tracked in self._containers.values():
            if tracked.view().running:
                begin_stop(self._pod, tracked, f"Stopping container {tracked.name}")

    async def _prepare(self) -> bool:
        """Sandbox and volumes; False for a pod that has already finished and left nothing running."""
        done = (self._pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if done and not any(state.exit_code is None for state in self._known):
            return False
        sandbox = await make_sandbox(self._kit, self._pod)
        await self._folder.prepare(self._reporter.seen(self._pod, sandbox.ip), sandbox.ip)
        self._ip = sandbox.ip
        recover(self._pod, self._containers, self._known, sandbox.ip)
        self._known = []
        return True

    async def _rest(self, until: float | None) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(until - time.time(), 0.0)):
                await self._wake.wait()
        except TimeoutError:
            return  # the time that was waited for has come

    def _probe_failed(self, container: str, probe: str) -> None:
        if is_deleting(self._pod):
            return  # it is on its way out already
        tracked = self._containers[container]
        why = f"Container {container} failed {probe} probe, will be restarted"
        if probe == "postStart":
            why = f"FailedPostStartHook of container {container}"
        seconds = (tracked.spec.get(f"{probe}Probe") or {}).get("terminationGracePeriodSeconds")
        begin_stop(self._pod, tracked, why, seconds)

    async def _terminate(self) -> None:
        """Stop the containers, remove all traces, tell the server."""
        grace = 0.0 if self._gone else grace_of(self._pod)
        await stop_all(self._pod, self._containers, grace)
        if not self._gone and self._ip:
            self._reporter.publish(self._pod, self._ip, over=True)
            await self._reporter.flush()
        await self._kit.runtime.remove_sandbox(uid(self._pod))
        self._folder.remove()
        await delete_object(self._kit.client, self._pod, lambda: self._gone)
