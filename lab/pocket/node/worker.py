"""The life of one pod on this node: sandbox, volumes, containers, probes, status, graceful end.

One task per pod. Everything that happens (the pod object changed, a container ended, a probe's verdict
changed, a ConfigMap changed, time) wakes it; it then asks `lifecycle` what to do and does that.
"""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff
from lab.kube.errors import NotFound
from lab.kube.kinds import PODS
from lab.kube.objects import Object, is_deleting, name, namespace, uid
from lab.pocket.node.folder import PodFolder
from lab.pocket.node.hostfiles import hostname
from lab.pocket.node.kit import Kit
from lab.pocket.node.lifecycle.attempts import Waiting
from lab.pocket.node.lifecycle.status import Surroundings, backoff_message, backs_off, pod_status
from lab.pocket.node.lifecycle.steps import init_containers, is_sidecar, main_containers, next_steps
from lab.pocket.node.recovery import recover
from lab.pocket.node.runtime import ContainerState
from lab.pocket.node.starting import start
from lab.pocket.node.statuswriter import StatusWriter
from lab.pocket.node.stopping import stop
from lab.pocket.node.tracked import Tracked

log = get_logger(__name__)
DEFAULT_GRACE = 30


class PodWorker:
    """Runs one pod until it is gone; `known` are its containers as the runtime has them."""

    def __init__(self, kit: Kit, pod: Object, known: Iterable[ContainerState] = ()) -> None:
        self._kit, self._pod, self._gone = kit, pod, False
        self._wake = asyncio.Event()
        self._folder = PodFolder(kit, pod)
        self._status = StatusWriter(kit.client, pod)
        self._backoff = Backoff(0.1, 5.0)
        self._ip, self._stale = "", False
        self._killer: asyncio.TimerHandle | None = None
        specs = init_containers(pod) + main_containers(pod)
        self._containers = {
            spec["name"]: Tracked(pod, spec, kit, self._wake.set, self._probe_failed) for spec in specs
        }
        self._known = list(known)

    @property
    def pod(self) -> Object:
        return self._pod

    def update(self, pod: Object | None) -> None:
        """The API server's word on the pod changed; None = it is no longer there."""
        if pod is None:
            self._gone = True
        else:
            if is_deleting(self._pod) and _grace(pod) < _grace(self._pod):
                self._hurry(_grace(pod))
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
            self._status.cancel()

    async def _step(self) -> float | None:
        """Do what is due; return when more falls due without an event."""
        try:
            if not self._ip and not await self._prepare():
                return None
            if self._stale or (self._folder.tokens.renew_at or time.time() + 1) <= time.time():
                self._stale = False
                await self._folder.refresh(self._seen())
            self._backoff.reset()
        except LabError as error:
            self._kit.recorder.record(self._pod, "FailedMount", str(error), warning=True)
            self._stale = bool(self._ip)
            self._publish()
            return time.time() + self._backoff.next()
        views = {n: tracked.view() for n, tracked in self._containers.items()}
        steps = next_steps(self._pod, views, time.time())
        for sidecar in steps.stop:
            self._stop(self._containers[sidecar], f"Stopping container {sidecar}")
        if steps.start:
            await asyncio.gather(
                *(start(self._seen(), self._containers[container], self._folder) for container in steps.start)
            )
            self._wake.set()
        self._publish()
        dues = [at for at in (steps.wake_at, self._folder.tokens.renew_at) if at is not None]
        return min(dues, default=None)

    async def _prepare(self) -> bool:
        """Sandbox and volumes; False for a pod that has already finished and left nothing running."""
        done = (self._pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if done and not any(state.exit_code is None for state in self._known):
            return False
        sandbox = await self._kit.runtime.sandbox(
            uid(self._pod), namespace(self._pod), name(self._pod), hostname(self._pod)
        )
        pod = self._seen(sandbox.ip)
        await self._folder.prepare(pod, sandbox.ip)
        self._ip = sandbox.ip
        recover(self._pod, self._containers, self._known, sandbox.ip)
        self._known = []
        return True

    def _publish(self) -> None:
        views = {n: tracked.view() for n, tracked in self._containers.items()}
        seen = self._seen()
        for tracked in self._containers.values():
            if backs_off(seen, tracked.spec, views[tracked.name]) and not tracked.announced:
                tracked.announced = True
                message = backoff_message(seen, views[tracked.name])
                tracked.event("BackOff", message[0].upper() + message[1:], warning=True)
        place = Surroundings(self._kit.config.ip, self._ip, time.time())
        self._status.want(pod_status(seen, views, place))

    def _seen(self, ip: str = "") -> Object:
        """The pod with the status as this node knows it, foreign conditions from the API server."""
        status: dict[str, Any] = {**(self._pod.get("status") or {})}
        own = {c["type"]: c for c in self._status.wanted.get("conditions") or ()}
        others = [c for c in status.get("conditions") or () if c["type"] not in own]
        status |= {
            "conditions": [*own.values(), *others],
            "hostIP": self._kit.config.ip,
            "hostIPs": [{"ip": self._kit.config.ip}],
        }
        if start_time := self._status.wanted.get("startTime"):
            status["startTime"] = start_time
        if address := ip or self._ip:
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        return {**self._pod, "status": status}

    async def _rest(self, until: float | None) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(until - time.time(), 0.0)):
                await self._wake.wait()
        except TimeoutError:
            return  # the time that was waited for has come

    def _probe_failed(self, container: str, probe: str) -> None:
        tracked = self._containers[container]
        why = f"Container {container} failed {probe} probe, will be restarted"
        if probe == "postStart":
            why = f"FailedPostStartHook of container {container}"
        seconds = (tracked.spec.get(f"{probe}Probe") or {}).get("terminationGracePeriodSeconds")
        self._stop(tracked, why, seconds)

    def _stop(self, tracked: Tracked, why: str, grace: float | None = None) -> None:
        if tracked.stopping is None or tracked.stopping.done():
            own = self._pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE)
            tracked.stopping = asyncio.create_task(stop(tracked, own if grace is None else grace, why))

    def _hurry(self, grace: float) -> None:
        """A second delete with a shorter grace period: what still runs then is killed."""
        for tracked in self._containers.values():
            if tracked.view().running:
                task = stop(tracked, grace, f"Stopping container {tracked.name}")
                tracked.hurried = asyncio.create_task(task)

    async def _terminate(self) -> None:
        """Stop main containers, then sidecars in reverse order; remove all traces; tell the server."""
        grace = 0.0 if self._gone else _grace(self._pod)
        deadline = time.time() + grace
        sidecars = [c["name"] for c in init_containers(self._pod) if is_sidecar(c)]
        first = [tracked for n, tracked in self._containers.items() if n not in sidecars]
        await asyncio.gather(*(stop(t, grace, f"Stopping container {t.name}") for t in first))
        for sidecar in reversed(sidecars):
            left = max(deadline - time.time(), min(grace, 2.0))
            await stop(self._containers[sidecar], left, f"Stopping container {sidecar}")
        if not self._gone and self._ip:
            self._publish()
            await self._status.flush()
        await self._kit.runtime.remove_sandbox(uid(self._pod))
        self._folder.remove()
        if not self._gone:
            await self._delete()

    async def _delete(self) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid(self._pod)}}
        while not self._gone:
            try:
                await self._kit.client.delete(PODS, name(self._pod), namespace(self._pod), **options)
                return
            except NotFound:
                return
            except LabError as error:
                log.warning("pod not deleted yet", pod=name(self._pod), error=error)
                await self._backoff.pause()


def _grace(pod: Object) -> float:
    seconds = pod["metadata"].get("deletionGracePeriodSeconds")
    return float(DEFAULT_GRACE if seconds is None else seconds)
