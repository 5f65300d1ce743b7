"""The command lines of the programs that print Linkerd's manifests: its own CLI, or Helm. Pure.

Flags are those of the CLI reference of 2.14 and 2.20 (tests/mesh/linkerd/cli holds them), values those of the
charts of the same releases.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.mesh.linkerd import release as releases
from lab.mesh.linkerd.acts import Place
from lab.mesh.linkerd.release import Release
from lab.mesh.protocol import LinkSpec

EXTENSION = "linkerd-multicluster"
SELECTORS = {
    "gateway": "--selector=",
    "flat": "--remote-discovery-selector=",
    "federated": "--federated-service-selector=",
}
"""What selects the services of a mode; empty selects none, left out it is Linkerd's label of that mode."""


@dataclass(frozen=True)
class Program:
    """What prints the manifests; `path` is how it is started."""

    kind: Literal["linkerd", "helm"]
    path: str
    release: Release


@dataclass(frozen=True)
class Settings:
    """What the extension of one cluster has: a gateway for others, and a controller for each of its links."""

    gateway: bool
    links: tuple[tuple[str, LinkSpec], ...] = ()


def crds(program: Program, place: Place, verb: str) -> tuple[str, ...]:
    """Linkerd's definitions; those of the Gateway API are not its business where it wants them first."""
    release = program.release
    own = ["--set=installGatewayAPI=false"] if release.managed else []
    if program.kind == "helm":
        return _chart(program, place, "linkerd-crds", releases.charts(release).crds, own)
    return _cli(program, place, [*verb.split(), "--crds", *own])


def control_plane(program: Program, place: Place, verb: str, *, issuer: bool) -> tuple[str, ...]:
    """The control plane; with `issuer` it gets the issuer from the lab's folder, else it keeps what it has.

    Linkerd's heartbeat would tell its makers about every lab.
    """
    if program.kind == "helm":
        files = {
            "identityTrustAnchorsPEM": place.anchor,
            "identity.issuer.tls.crtPEM": place.issuer,
            "identity.issuer.tls.keyPEM": place.issuer_key,
        }
        values = [*(f"--set-file={key}={path}" for key, path in files.items()), "--set=disableHeartBeat=true"]
        version = releases.charts(program.release).control_plane
        return _chart(program, place, "linkerd-control-plane", version, values)
    identity = [
        f"--identity-trust-anchors-file={place.anchor}",
        f"--identity-issuer-certificate-file={place.issuer}",
        f"--identity-issuer-key-file={place.issuer_key}",
    ]
    # Proxies that still have another anchor get the new one when they restart; waiting for them is no use.
    force = ["--force"] if issuer and verb == "upgrade" else []
    return _cli(program, place, [*verb.split(), *(identity if issuer else []), *force, "--disable-heartbeat"])


def multicluster(program: Program, place: Place, settings: Settings) -> tuple[str, ...]:
    """The extension: gateway, access for others, and (where they are its own) the mirror controllers."""
    values = _controllers(settings.links) if program.release.managed else []
    if program.kind == "helm":
        gateway = f"--set=gateway.enabled={str(settings.gateway).lower()}"
        version = releases.charts(program.release).multicluster
        return _chart(program, place, EXTENSION, version, [gateway, *values])
    gateway = f"--gateway={str(settings.gateway).lower()}"
    return _cli(program, place, ["multicluster", "install", gateway, *values])


def link(program: Program, target: Place, spec: LinkSpec) -> tuple[str, ...]:
    """What another cluster needs to mirror the target's services; asked of the target."""
    release = program.release
    modes = [mode for mode in SELECTORS if mode != "federated" or release.managed]
    words = [f"--cluster-name={target.name}", f"--api-server-address={target.api}"]
    words += [f"--gateway={str(spec.has_gateway).lower()}"]
    words += [SELECTORS[mode] for mode in modes if mode != "gateway" and mode not in spec.modes]
    if release.managed:
        words += [f"--excluded-labels={','.join(spec.excluded_labels)}"] if spec.excluded_labels else []
        noted = spec.excluded_annotations
        words += [f"--excluded-annotations={','.join(noted)}"] if noted else []
    elif spec.headless:
        words.append("--set=enableHeadlessServices=true")
    return _cli(program, target, ["multicluster", "link-gen" if release.managed else "link", *words])


def check(program: Program, place: Place, wait: int) -> tuple[str, ...]:
    """All checks, of the control plane and its extensions, as JSON; `wait` bounds what is tried again."""
    return _cli(program, place, ["check", "--output=json", f"--wait={wait}s"])


def _controllers(links: Iterable[tuple[str, LinkSpec]]) -> list[str]:
    words = []
    is_creating = False
    for index, (target, spec) in enumerate(links):
        words.append(f"--set=controllers[{index}].link.ref.name={target}")
        if not spec.has_gateway:
            words.append(f"--set=controllers[{index}].gateway.enabled=false")
        if spec.headless:
            words.append(f"--set=controllers[{index}].enableHeadlessServices=true")
        is_creating |= spec.creates_namespaces
    return [*words, *(["--set=enableNamespaceCreation=true"] if is_creating else [])]


def _cli(program: Program, place: Place, words: Sequence[str]) -> tuple[str, ...]:
    return (program.path, f"--kubeconfig={place.kubeconfig}", f"--context={place.context}", *words)


def _chart(program: Program, place: Place, name: str, version: str, values: Sequence[str]) -> tuple[str, ...]:
    """Helm only renders: what is applied is recorded by the lab, as with the CLI. Without the hooks, which
    would label a namespace that the lab labels itself."""
    namespace = EXTENSION if name == EXTENSION else "linkerd"
    repository = releases.charts(program.release).repository
    words = [f"--repo={repository}", f"--version={version}", f"--namespace={namespace}", "--no-hooks"]
    return (program.path, "template", name, name, *words, *values)
