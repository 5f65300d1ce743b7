"""One pull-through cache of registries for all clusters of all labs on this Docker. Pure.

It is a container on the network of every lab, with one registry per upstream, and a volume that outlives it.
Nodes ask it first and the upstream itself when it does not answer, so that a broken cache breaks nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.engines.kind import names
from lab.plan.addresses import LabPlan

NAME = "multicluster-lab-cache"
"""Of the container, and of its volume."""
IMAGE = "registry:3.1.1@sha256:1be55279f18a2fe1a74edf2664cac61c1bea305b7b4642dab412e7affdcb3e33"
ROLE = "cache"
FOLDER = "/etc/containerd/certs.d"
"""Where containerd looks for what to ask instead of a registry; kind's nodes are configured so."""
MARK = f"{FOLDER}/.multicluster-lab"


@dataclass(frozen=True)
class Upstream:
    """A registry that is cached: where it really is, and the cache's port for it."""

    url: str
    port: int


_DOCKER = Upstream("https://registry-1.docker.io", 5010)
_GITHUB = Upstream("https://ghcr.io", 5011)
UPSTREAMS: Mapping[str, Upstream] = {
    "docker.io": _DOCKER,
    "ghcr.io": _GITHUB,
    "cr.l5d.io": _GITHUB,  # Linkerd's name only redirects there, which a cache cannot log in through
    "registry.k8s.io": Upstream("https://registry.k8s.io", 5012),
    "quay.io": Upstream("https://quay.io", 5013),
}


@dataclass(frozen=True)
class Cache:
    """The cache as it was found: whether it is there and runs, and the networks that it is on."""

    exists: bool = False
    runs: bool = False
    networks: frozenset[str] = frozenset()


def is_wanted(plan: LabPlan) -> bool:
    """Whether a lab uses the cache; offline there is nothing to ask it for."""
    return plan.kind.cache and not plan.kind.offline


def serve(network: str, seen: Cache) -> list[tuple[str, ...]]:
    """The commands of `docker` after which the cache answers on a lab's network."""
    if not seen.exists:
        return [_run(network)]
    start: list[tuple[str, ...]] = [] if seen.runs else [("start", NAME)]
    return start if network in seen.networks else [*start, ("network", "connect", network, NAME)]


def leave(network: str, seen: Cache) -> list[tuple[str, ...]]:
    """The commands that take the cache off a lab's network, and the container away when no lab is left."""
    if network not in seen.networks:
        return []
    return [("network", "disconnect", network, NAME) if len(seen.networks) > 1 else ("rm", "--force", NAME)]


def use() -> tuple[str, ...]:
    """The command that makes a node ask the cache; MARK tells that it was done."""
    lines = ["set -e"]
    for registry, upstream in UPSTREAMS.items():
        text = (
            f'server = "{upstream.url}"\\n\\n[host."http://{NAME}:{upstream.port}"]\\n'
            'capabilities = ["pull", "resolve"]\\n'
        )
        lines.append(f"mkdir -p {FOLDER}/{registry}")
        lines.append(f"printf '{text}' > {FOLDER}/{registry}/hosts.toml")
    return ("sh", "-c", "\n".join([*lines, f"touch {MARK}"]))


def _run(network: str) -> tuple[str, ...]:
    return (
        "run",
        "--detach",
        f"--name={NAME}",
        "--restart=unless-stopped",
        f"--label={names.ROLE_LABEL}={ROLE}",
        f"--network={network}",
        f"--volume={NAME}:/var/lib/registry",
        "--env=OTEL_TRACES_EXPORTER=none",
        "--entrypoint=sh",
        IMAGE,
        "-c",
        _script(),
    )


def _script() -> str:
    """One registry per upstream; what is cached stays for good, as tags of releases do not move.

    A registry ends at its start when its upstream does not answer, and so is started until it does.
    """
    lines = []
    for upstream in dict.fromkeys(UPSTREAMS.values()):
        file = f"/tmp/{upstream.port}.yaml"
        config = (
            f"{{version: 0.1, http: {{addr: 0.0.0.0:{upstream.port}}}, "
            f"storage: {{filesystem: {{rootdirectory: /var/lib/registry/{upstream.port}}}}}, "
            f"proxy: {{remoteurl: {upstream.url}, ttl: 0}}}}"
        )
        lines.append(f'echo "{config}" > {file}')
        lines.append(f"while :; do registry serve {file}; sleep 5; done &")
    return "\n".join([*lines, "wait"])
