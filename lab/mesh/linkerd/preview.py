"""What an installation of Linkerd makes in a cluster, object by object, for a plan.

The programs that would install it render it here, without asking the cluster and with keys that are thrown
away: names do not depend on either.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.base import process
from lab.base.errors import CommandError
from lab.base.shipped import MANIFESTS
from lab.base.state import LabDir, write_private
from lab.kube.manifests import parsed, read
from lab.kube.objects import Object
from lab.mesh.builtin.link_objects import NAMESPACE
from lab.mesh.linkerd import programs
from lab.mesh.linkerd.acts import Place
from lab.mesh.linkerd.explain import explained
from lab.mesh.linkerd.programs import Program, Settings
from lab.mesh.trust import lab_anchor, new_issuer

_SECONDS = 60.0
_OFFLINE = "--ignore-cluster"


async def preview(program: Program, cluster: str, settings: Settings) -> list[Object]:
    """Everything but what is made later for exported services. Raises LabError if it cannot be rendered."""
    with TemporaryDirectory() as folder:
        place = _place(Path(folder), cluster)
        verb, more = (f"install {_OFFLINE}", (_OFFLINE,)) if program.kind == "linkerd" else ("install", ())
        argvs = (
            programs.crds(program, place, verb),
            programs.control_plane(program, place, verb, issuer=True),
            (*programs.multicluster(program, place, settings), *more),
        )
        rendered = [obj for argv in argvs for obj in await _rendered(argv)]
    own = [] if program.kind == "linkerd" else [*_read("linkerd"), *_read("linkerd-multicluster")]
    gateway_api = read(MANIFESTS / "gateway-api") if program.release.managed else []
    links = [obj for target, _ in settings.links for obj in _link(target, is_managed=program.release.managed)]
    metrics = [] if program.release.managed else read(MANIFESTS / "linkerd-metrics")
    return [*gateway_api, *own, *rendered, *metrics, *links]


def _place(folder: Path, cluster: str) -> Place:
    lab = LabDir(folder)
    pair = new_issuer(lab_anchor(lab))
    place = Place(cluster, lab.kubeconfig, cluster, lab.pki)
    write_private(place.issuer_key, pair.key)
    write_private(place.issuer, pair.certificate)
    return place


def _read(folder: str) -> list[Object]:
    return read(MANIFESTS / folder / "namespace.yaml")


async def _rendered(argv: tuple[str, ...]) -> list[Object]:
    try:
        said = await process.run(argv, timeout=_SECONDS)
    except CommandError as error:
        raise explained(error, " ".join(argv)) from error
    return parsed(said.stdout, f"that `{' '.join(argv)}` printed")


def _link(target: str, *, is_managed: bool) -> Iterable[Object]:
    """What a link consists of, besides the controller that a newer release's extension has for it."""
    for space in ("linkerd", NAMESPACE):
        yield _reference("v1", "Secret", f"cluster-credentials-{target}", space)
    yield _reference("multicluster.linkerd.io/v1alpha1", "Link", target, NAMESPACE)
    if not is_managed:
        rights = f"linkerd-service-mirror-access-local-resources-{target}"
        for kind in ("ClusterRole", "ClusterRoleBinding"):
            yield _reference("rbac.authorization.k8s.io/v1", kind, rights)
        yield _reference("apps/v1", "Deployment", f"linkerd-service-mirror-{target}", NAMESPACE)


def _reference(version: str, kind: str, name: str, namespace: str = "") -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
