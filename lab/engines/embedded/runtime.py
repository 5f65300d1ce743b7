"""The node's PodRuntime over init's control socket: init runs the containers, the node decides."""

import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

from lab.base.errors import LabError
from lab.engines.embedded.control import Control
from lab.engines.embedded.namespaces import inside
from lab.pocket.node.runtime import Container, ContainerState, Exec, Sandbox


class InitRuntime:
    """Containers of one cluster."""

    def __init__(self, control: Control, cluster: str) -> None:
        self._control = control
        self._cluster = cluster

    async def sandbox(self, pod_uid: str, namespace: str, name: str, hostname: str) -> Sandbox:
        pod = {"pod_uid": pod_uid, "namespace": namespace, "name": name, "hostname": hostname}
        return Sandbox(**await self._control.call("sandbox", cluster=self._cluster, **pod))

    async def remove_sandbox(self, pod_uid: str) -> None:
        await self._control.call("remove-sandbox", pod_uid=pod_uid)

    async def start(self, container: Container) -> ContainerState:
        answer = await self._control.call("start", cluster=self._cluster, container=asdict(container))
        return ContainerState(**answer)

    async def signal(self, container_id: str, signum: int) -> None:
        await self._control.call("signal", id=container_id, signal=int(signum))

    async def exec(self, container_id: str, argv: Sequence[str], *, tty: bool) -> Exec:
        answer, fds = await self._control.call_with_fds("exec", (), id=container_id, argv=list(argv), tty=tty)
        return Exec(answer["id"], tuple(fds))

    async def attach(self, container_id: str) -> int:
        _answer, fds = await self._control.call_with_fds("attach", (), id=container_id)
        return fds[0]

    def connector(self, pod_uid: str) -> socket.socket:
        try:
            with inside(f"pod-{pod_uid}"):
                return socket.socket()
        except OSError as error:
            raise LabError(f"pod {pod_uid} has no network: {error}") from error

    async def containers(self) -> list[ContainerState]:
        answer = await self._control.call("containers", cluster=self._cluster)
        return [ContainerState(**state) for state in answer]

    async def resize(self, exec_id: str, columns: int, rows: int) -> None:
        await self._control.call("resize", id=exec_id, columns=columns, rows=rows)

    async def events(self) -> AsyncIterator[ContainerState]:
        async for event in self._control.events(self._cluster):
            yield ContainerState(**event)
