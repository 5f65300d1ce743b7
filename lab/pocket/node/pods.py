"""All pods of this node: one worker per pod uid, fed by the pod informer and the runtime's events."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import pause
from lab.kube.informer import Informer
from lab.kube.objects import Object, name, namespace, uid
from lab.pocket.node.kit import Kit
from lab.pocket.node.runtime import ContainerState
from lab.pocket.node.worker import PodWorker

log = get_logger(__name__)


class Pods:
    """Starts, feeds and forgets pod workers."""

    def __init__(self, kit: Kit, informer: Informer) -> None:
        self._kit, self._informer = kit, informer
        self._workers: dict[str, PodWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._missed: dict[str, ContainerState] = {}
        self._adopted = False

    def find(self, namespace_: str, pod: str) -> PodWorker | None:
        """The worker of a pod by name, for the kubelet API."""
        for worker in self._workers.values():
            if (namespace(worker.pod), name(worker.pod)) == (namespace_, pod):
                return worker
        return None

    def log_files(self) -> list[Path]:
        """The log of every running container."""
        return [path for worker in self._workers.values() for path in worker.log_files()]

    async def run(self) -> None:
        """Adopt what the runtime still has, then follow API server and runtime until cancelled."""
        follower = asyncio.create_task(self._follow(self._kit.runtime.events()))
        try:
            await pause(0)  # lets the follower subscribe before containers are listed
            for informer in (
                self._informer,
                self._kit.service_accounts,
                self._kit.config_maps,
                self._kit.secrets,
                self._kit.claims.informer,
                self._kit.services,
            ):
                await informer.synced.wait()
            await self._adopt()
            self._informer.subscribe(self._pod_changed)
            for informer in (self._kit.config_maps, self._kit.secrets, self._kit.claims.informer):
                informer.subscribe(self._source_changed)
            await follower
        finally:
            for task in [follower, *self._tasks]:
                task.cancel()
            await asyncio.gather(follower, *self._tasks, return_exceptions=True)

    async def _adopt(self) -> None:
        known: dict[str, list[ContainerState]] = defaultdict(list)
        for state in await self._kit.runtime.containers():
            known[state.pod_uid].append(self._missed.get(state.id, state))
        pods = {uid(pod): pod for pod in self._informer.list()}
        for orphan in known.keys() - pods.keys():
            log.info("removing a sandbox whose pod is gone", uid=orphan)
            await self._kit.runtime.remove_sandbox(orphan)
        for key, states in known.items():
            if key in pods:
                self._start(pods[key], states)
        self._adopted = True
        self._missed.clear()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if (
            old is not None
            and (new is None or uid(new) != uid(old))
            and (worker := self._workers.get(uid(old)))
        ):
            worker.update(None)
        if new is None:
            return
        if worker := self._workers.get(uid(new)):
            worker.update(new)
        else:
            self._start(new, [])

    def _source_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        for worker in self._workers.values():
            if namespace(worker.pod) == namespace(obj):
                worker.source_changed(str(obj.get("kind")), name(obj))

    def _start(self, pod: Object, known: list[ContainerState]) -> None:
        worker = self._workers[uid(pod)] = PodWorker(self._kit, pod, known)
        task = asyncio.create_task(self._run(worker), name=f"pod {namespace(pod)}/{name(pod)}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, worker: PodWorker) -> None:
        key = uid(worker.pod)
        try:
            await worker.run()
        except LabError as error:
            log.error("pod worker gave up", pod=name(worker.pod), error=error)
        except Exception:  # one pod's fault must not take the node down; logged whole
            log.exception("pod worker broke", pod=name(worker.pod))
        finally:
            self._workers.pop(key, None)

    async def _follow(self, events: AsyncIterator[ContainerState]) -> None:
        async for state in events:
            worker = self._workers.get(state.pod_uid)
            if worker is not None and worker.ended(state):
                continue
            if not self._adopted:
                self._missed[state.id] = state
            self._kit.execs.ended(state)
        raise LabError("the runtime no longer reports the ends of containers")
