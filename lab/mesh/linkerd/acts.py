"""What installing and linking Linkerd does, as data: `lab plan` prints it, `perform` does it. Pure.

Programs only print manifests; the lab applies them through the API, under the entry of its record of that
cluster. They are printed as the pipe into kubectl that does the same.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from lab.mesh.protocol import LinkSpec


@dataclass(frozen=True)
class Place:
    """One cluster as programs reach it. `api` is its URL for pods of other clusters; `folder` holds the
    trust anchor and the cluster's issuer."""

    name: str
    kubeconfig: Path
    context: str
    folder: Path
    api: str = ""

    @property
    def anchor(self) -> Path:
        return self.folder / "trust-anchor.crt"

    @property
    def issuer(self) -> Path:
        return self.folder / f"{self.name}-issuer.crt"

    @property
    def issuer_key(self) -> Path:
        return self.folder / f"{self.name}-issuer.key"

    def kubectl(self, *words: str) -> str:
        return shlex.join(["kubectl", f"--kubeconfig={self.kubeconfig}", f"--context={self.context}", *words])


@dataclass(frozen=True)
class MakeIssuer:
    """Make an issuer for this cluster, signed by the lab's trust anchor, unless a good one is there."""

    where: Place

    @property
    def line(self) -> str:
        files = f"{self.where.issuer} and {self.where.issuer_key}"
        return f"# make {files}: an issuer for {self.where.name}, signed by {self.where.anchor}"


@dataclass(frozen=True)
class Render:
    """Run a program, and make `entry` in this cluster consist of what it prints: what it no longer prints
    and the lab created is deleted."""

    where: Place
    entry: str
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        apply = self.where.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-")
        return f"{shlex.join(self.argv)} | {apply}"


@dataclass(frozen=True)
class ApplyFiles:
    """Make an entry consist of manifests that ship with the lab: files or folders of them."""

    where: Place
    entry: str
    paths: tuple[Path, ...]

    @property
    def line(self) -> str:
        files = [f"--filename={path}" for path in self.paths]
        return self.where.kubectl("apply", "--server-side", "--force-conflicts", *files)


@dataclass(frozen=True)
class WaitReady:
    """Wait until every Deployment of a namespace is available."""

    where: Place
    namespace: str

    @property
    def line(self) -> str:
        wanted = ("wait", "--for=condition=Available", "deployment", "--all", "--timeout=300s")
        return self.where.kubectl(f"--namespace={self.namespace}", *wanted)


@dataclass(frozen=True)
class GiveAddress:
    """Wait for the address of this cluster's gateway; where nothing balances load, these stand in for it."""

    where: Place
    addresses: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        if self.addresses:
            ingress = ",".join(f'{{"ip":"{address}"}}' for address in self.addresses)
            status = f'--patch={{"status":{{"loadBalancer":{{"ingress":[{ingress}]}}}}}}'
            patch = ("patch", "service/linkerd-gateway", "--subresource=status", "--type=merge", status)
            return self.where.kubectl("--namespace=linkerd-multicluster", *patch)
        until = "--for=jsonpath={.status.loadBalancer.ingress}"
        service = ("--namespace=linkerd-multicluster", "service/linkerd-gateway")
        return self.where.kubectl("wait", until, *service, "--timeout=300s")


@dataclass(frozen=True)
class WriteLink:
    """Make the Link and its credentials in this cluster, as `linkerd multicluster link-gen` prints them."""

    where: Place
    entry: str
    target: Place
    spec: LinkSpec

    @property
    def line(self) -> str:
        secrets = f"Secrets cluster-credentials-{self.target.name} in linkerd and linkerd-multicluster"
        return f"# apply in {self.where.name}: Link {self.target.name} and {secrets}"


@dataclass(frozen=True)
class Remove:
    """Delete what the lab created under an entry."""

    where: Place
    entry: str

    @property
    def line(self) -> str:
        return (
            f"# delete in {self.where.name} what the lab's record in kube-system there lists as {self.entry}"
        )


@dataclass(frozen=True)
class RemoveMirrors:
    """Delete the Services that stand for those of a cluster."""

    where: Place
    target: str

    @property
    def line(self) -> str:
        selector = f"--selector=mirror.linkerd.io/cluster-name={self.target}"
        return self.where.kubectl("delete", "services,endpoints", "--all-namespaces", selector)


Act = MakeIssuer | Render | ApplyFiles | WaitReady | GiveAddress | WriteLink | Remove | RemoveMirrors
