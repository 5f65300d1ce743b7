"""Looks into an embedded lab: files below its folder, and the rest through its init.

Init runs inside the lab's namespaces, so none of this needs privileges that `lab up` did not need.
"""

import asyncio
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.controlplane.proxy.admin import COMMAND
from lab.engines.embedded.control import Control
from lab.engines.inspect import LogFile, ProxyDump
from lab.pocket.apiserver.storage.log import Log

PROXY = "linkerd-proxy"
ANSWER_SECONDS = 20.0


class EmbeddedInspector:
    """See lab.engines.inspect.Inspector for what each method promises."""

    def logs(self, lab: LabDir) -> Iterator[LogFile]:
        for path in sorted(lab.logs.glob("*.log")):
            yield LogFile(path)
        for path in sorted(lab.root.glob("clusters/*/pods/*/logs/*/*.log")):
            cluster, _, uid, _, container = path.relative_to(lab.root / "clusters").parts[:-1]
            yield LogFile(path, cluster, uid, container, int(path.stem))

    def secrets(self, lab: LabDir) -> Iterator[str]:
        for path in sorted(lab.root.rglob("*.key")):
            yield path.read_text(errors="replace")

    def stored(self, lab: LabDir, cluster: str) -> list[dict[str, Any]]:
        store = lab.cluster(cluster).store
        if not store.exists():
            raise LabError(f"there is no {store}: the cluster was never up")
        with tempfile.TemporaryDirectory() as folder:
            for part in store.parent.glob(f"{store.name}*"):  # a copy: a frozen server still holds the file
                shutil.copy(part, folder)
            log = Log(Path(folder, store.name))
            try:
                newest = {row.key: None if row.deleted else row.value for row in log.rows()}
            finally:
                log.close()
        return [json.loads(value) for _key, value in sorted(newest.items()) if value is not None]

    async def kernel(self, lab: LabDir) -> Mapping[str, Any]:
        async with Control.connect(lab) as control:
            seen = await control.call("list")
            _nothing, fds = await control.call_with_fds("kernel", ())
            text = await _read(fds[0])
        if not text:
            raise LabError("the child of init that reads the kernel died", remedy=f"see {lab.logs}/init.log")
        names = {
            f"pod-{pod['pod_uid']}": f"{cluster['name']}/{pod['namespace']}/{pod['name']}"
            for cluster in seen["clusters"]
            for pod in cluster["pods"]
        }
        return {names.get(netns, netns): facts for netns, facts in json.loads(text).items()}

    async def proxies(self, lab: LabDir, cluster: str) -> AsyncIterator[ProxyDump]:
        async with Control.connect(lab) as control:
            seen = {one["name"]: one for one in (await control.call("list"))["clusters"]}[cluster]
            if seen["paused"]:
                raise LabError(f"{cluster} is paused")
            pods = {pod["pod_uid"]: pod for pod in seen["pods"]}
            for container in await control.call("containers", cluster=cluster):
                uid, name, _attempt = container["id"].split("/")
                if name == PROXY and container["exit_code"] is None and uid in pods:
                    yield await _dump(control, container["id"], pods[uid])

    async def packets(self, lab: LabDir, cluster: str, pod_uid: str, link: str) -> socket.socket:
        netns = f"pod-{pod_uid}" if pod_uid else f"node-{cluster}"
        async with Control.connect(lab) as control:
            _nothing, fds = await control.call_with_fds("packets", (), netns=netns, link=link)
        return socket.socket(fileno=fds[0])


async def _dump(control: Control, container: str, pod: Mapping[str, str]) -> ProxyDump:
    place = pod["namespace"], pod["name"]
    try:
        _state, fds = await control.call_with_fds("exec", (), id=container, argv=[COMMAND], tty=False)
        os.close(fds[0])
        said, complaint = await asyncio.gather(*map(_read, fds[1:]))
        return (
            ProxyDump(*place, json.loads(said)) if said else ProxyDump(*place, {}, complaint or "no answer")
        )
    except (LabError, OSError, ValueError) as error:
        return ProxyDump(*place, {}, str(error))


async def _read(fd: int) -> str:
    """Everything that comes through a pipe until its other end is closed."""
    reader = asyncio.StreamReader()
    transport, _protocol = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb")
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return (await reader.read()).decode(errors="replace")
    except TimeoutError as error:
        raise LabError(f"no answer within {ANSWER_SECONDS:g} s") from error
    finally:
        transport.close()
