"""The Docker engine, asked through its API: the only module here that imports Docker's SDK.

Each call goes to a thread, so that a slow daemon never stops the event loop, and has a time limit. Every
error of the SDK becomes a LabError that says what was asked. Nothing is found by its name alone: networks by
the lab's labels, nodes by kind's label and by the network they are on.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import docker
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from lab.base.errors import EngineUnavailable, LabError
from lab.base.state import LabDir
from lab.base.wait import until
from lab.engines.kind import names
from lab.engines.kind.cache import ROLE, Cache
from lab.engines.kind.nodes import Node, NodeState

SECONDS = 20.0
"""How long one call to the daemon may take."""
QUICK_SECONDS = 3.0
"""The same for a glance at what runs."""
DEFAULT_HOST = "unix:///var/run/docker.sock"
API_PORT = "6443/tcp"
CPU_PERIOD = 100_000
"""Microseconds in which a node may use its share of processors: Docker's own default."""
T = TypeVar("T")
_STATES: Mapping[str, NodeState] = {"running": "running", "paused": "paused"}


@dataclass(frozen=True)
class Network:
    """A Docker network; `folder` and `lab` are empty for one that is not a lab's."""

    id: str
    name: str
    subnets: tuple[str, ...]
    lab: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Said:
    """What a program in a node said."""

    code: int
    out: str
    err: str


def is_running(lab: LabDir) -> bool:
    """Whether any node of a lab runs. Without an answer from Docker none does."""
    try:
        client = _connect(QUICK_SECONDS)
        try:
            mine = [one for one in map(_network, _attrs(client)) if _is_of(one, lab)]
            return any(
                client.containers.list(filters={"network": one.id, "label": names.KIND_CLUSTER})
                for one in mine
            )
        finally:
            client.close()
    except (DockerException, OSError):
        return False


class Daemon:
    """A connection to the Docker engine that the user's `docker` talks to, too."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    @classmethod
    async def connect(cls, timeout: float = SECONDS) -> Self:
        """Raises EngineUnavailable, with what to do, when no engine answers."""
        try:
            return cls(await asyncio.to_thread(_connect, timeout))
        except (DockerException, OSError) as error:
            raise EngineUnavailable(
                f"Docker does not answer: {error}",
                remedy="start Docker, or point DOCKER_HOST at it; `docker info` must work as this user",
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._client.close)

    async def info(self) -> dict[str, Any]:
        """What `docker info` shows, with the version of the API."""
        info = await self._ask("tell about itself", self._client.info)
        version = await self._ask("tell its version", self._client.version)
        return {**info, "ApiVersion": version["ApiVersion"]}

    async def networks(self) -> list[Network]:
        """All networks, whoever made them."""
        found = await self._ask("list networks", lambda: _attrs(self._client))
        return [_network(attrs) for attrs in found]

    async def lab_networks(self, lab: LabDir) -> list[Network]:
        """The network of a lab; several, if two commands made one at the same moment."""
        return [one for one in await self.networks() if _is_of(one, lab)]

    async def remove_network(self, network: Network) -> None:
        """Can be repeated."""
        await self._gone_is_fine(
            f"remove the network {network.name}", lambda: self._client.networks.get(network.id).remove()
        )

    async def nodes(self, lab: LabDir) -> tuple[Node, ...]:
        """Every node of a lab, running or not."""
        found: dict[str, Node] = {}
        for network in await self.lab_networks(lab):
            filters: dict[str, str | list[str] | bool] = {"network": network.id, "label": names.KIND_CLUSTER}
            search = partial(self._client.containers.list, all=True, filters=filters)
            listed = await self._ask("list nodes", search)
            found.update({one.name or "": _node(lab, network, one) for one in listed})
        return tuple(found[name] for name in sorted(found))

    async def images(self) -> frozenset[str]:
        """Every name and digest by which images are here."""
        listed = await self._ask("list images", self._client.images.list)
        return frozenset(word for one in listed for word in _image_words(one.attrs))

    async def cache(self) -> Cache:
        """The cache of registries that all labs share."""
        filters: dict[str, str | list[str] | bool] = {"label": f"{names.ROLE_LABEL}={ROLE}"}
        search = partial(self._client.containers.list, all=True, filters=filters)
        for one in await self._ask("list containers", search):
            on = frozenset(one.attrs["NetworkSettings"]["Networks"])
            return Cache(exists=True, runs=one.attrs["State"]["Status"] == "running", networks=on)
        return Cache()

    async def run_in(self, node: Node, argv: tuple[str, ...]) -> Said:
        """Run a program in a node, as root, to its end; in a paused one from beside it, in its network."""
        what = f"run `{' '.join(argv)}` in {node.name}"
        if node.state == "paused":
            return await self._ask(what, lambda: self._beside(node, argv))
        run, out, err = await self._ask(what, lambda: self._inside(node, argv))

        async def ended() -> str:
            """Its exit code, which Docker may know only a moment after the end of the output."""
            code = (await self._ask(what, lambda: self._client.api.exec_inspect(run)))["ExitCode"]
            return "" if code is None else str(code)

        code = await until(ended, timeout=SECONDS, what=f"`{' '.join(argv)}` in {node.name} has ended")
        return Said(int(code), out, err)

    async def act_on(self, node: str, verb: str, **options: Any) -> None:
        """pause, unpause, kill, start, update or remove a container."""
        await self._ask(f"{verb} {node}", lambda: getattr(self._client.containers.get(node), verb)(**options))

    def _inside(self, node: Node, argv: tuple[str, ...]) -> tuple[str, str, str]:
        """The id of what ran, and its output and errors."""
        run = self._client.api.exec_create(node.name, list(argv))["Id"]
        out, err = self._client.api.exec_start(run, demux=True)
        return run, _text(out), _text(err)

    def _beside(self, node: Node, argv: tuple[str, ...]) -> Said:
        """A program of the node's image in the node's network: nothing can be started in a paused node."""
        helper = self._client.containers.create(
            node.image, entrypoint=list(argv), network_mode=f"container:{node.name}", cap_add=["NET_ADMIN"]
        )
        try:
            helper.start()
            code = int(helper.wait(timeout=SECONDS)["StatusCode"])
            return Said(code, _text(helper.logs(stderr=False)), _text(helper.logs(stdout=False)))
        finally:
            helper.remove(force=True, v=True)

    async def _gone_is_fine(self, what: str, work: Callable[[], object]) -> None:
        def try_it() -> None:
            try:
                work()
            except NotFound:
                return  # which is what was wanted

        await self._ask(what, try_it)

    async def _ask(self, what: str, work: Callable[[], T], limit: float = SECONDS) -> T:
        try:
            return await asyncio.wait_for(asyncio.to_thread(work), limit)
        except TimeoutError as error:
            raise LabError(
                f"Docker did not {what} within {limit:g} s", remedy="is it overloaded? try `docker ps`"
            ) from error
        except APIError as error:
            raise LabError(f"Docker cannot {what}: {error.explanation or error}") from error
        except (DockerException, OSError) as error:
            raise LabError(f"Docker cannot {what}: {error}", remedy="see that `docker info` works") from error


def _connect(timeout: float) -> docker.DockerClient:
    """By DOCKER_HOST, else by the context that the `docker` command uses, which the SDK leaves out."""
    context = ContextAPI.get_current_context()
    if os.environ.get("DOCKER_HOST") or context is None or context.name == "default":
        made = partial(docker.from_env, timeout=int(timeout))
        host = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    else:
        made = partial(docker.DockerClient, context.Host, tls=context.TLSConfig, timeout=int(timeout))
        host = context.Host or DEFAULT_HOST
    _knock(host, timeout)
    client = made()
    try:
        client.ping()
    except BaseException:
        client.close()
        raise
    return client


def _knock(host: str, timeout: float) -> None:
    """Raises OSError where nobody listens at a Unix socket: the SDK would leave its own open."""
    kind, _, path = host.partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(timeout)
            try:
                probe.connect(path)
            except OSError as error:
                raise OSError(error.errno, f"{host}: {error.strerror or error}") from error


def docker_environment() -> dict[str, str]:
    """The variables by which the user chooses a Docker engine."""
    return {key: value for key, value in os.environ.items() if key.startswith("DOCKER_")}


def _attrs(client: docker.DockerClient) -> list[Mapping[str, Any]]:
    return [one.attrs for one in client.networks.list()]


def _is_of(network: Network, lab: LabDir) -> bool:
    return (network.lab, network.folder) == (lab.name, str(lab.root))


def _network(attrs: Mapping[str, Any]) -> Network:
    labels = attrs.get("Labels") or {}
    pools = (attrs.get("IPAM") or {}).get("Config") or []
    return Network(
        id=attrs["Id"],
        name=attrs["Name"],
        subnets=tuple(pool["Subnet"] for pool in pools if "Subnet" in pool),
        lab=labels.get(names.LAB_LABEL, ""),
        folder=labels.get(names.FOLDER_LABEL, ""),
    )


def _node(lab: LabDir, network: Network, container: Container) -> Node:
    attrs = container.attrs
    settings, limits = attrs["NetworkSettings"], attrs["HostConfig"]
    endpoint = settings["Networks"].get(network.name) or {}
    ports = (settings.get("Ports") or {}).get(API_PORT) or []
    # A fault that keeps a node down takes its restart policy away, too, or Docker would bring it back.
    is_held = limits["RestartPolicy"]["Name"] in ("", "no")
    return Node(
        name=container.name or "",
        cluster=names.cluster_of(lab.name, container.labels[names.KIND_CLUSTER]),
        role=container.labels.get(names.KIND_ROLE, ""),
        state=_STATES.get(attrs["State"]["Status"], "stopped" if is_held else "exited"),
        address=endpoint.get("IPAddress", ""),
        api_port=int(ports[0]["HostPort"]) if ports else 0,
        image=attrs["Image"],
        cpus=_cpus(limits),
        memory=limits.get("Memory") or 0,
    )


def _cpus(limits: Mapping[str, Any]) -> float:
    """Processors a container may use, 0 for all; Docker keeps it in one of two ways."""
    if nano := limits.get("NanoCpus"):
        return float(nano / 1e9)
    quota, period = limits.get("CpuQuota") or 0, limits.get("CpuPeriod") or CPU_PERIOD
    return float(quota / period) if quota > 0 else 0.0


def _image_words(attrs: Mapping[str, Any]) -> list[str]:
    return [attrs["Id"], *(attrs.get("RepoTags") or []), *(attrs.get("RepoDigests") or [])]


def _text(data: Any) -> str:
    return bytes(data or b"").decode(errors="replace")
