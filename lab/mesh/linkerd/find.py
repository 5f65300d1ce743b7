"""Which program installs the Linkerd that a topology wants, and what of Linkerd a cluster has.

The CLI comes first: it checks and links, too. Helm stands in for it where there is none of that version.
"""

import yaml

from lab.base import process, programs
from lab.base.concurrent import together
from lab.base.errors import EngineUnavailable, LabError, UsageError
from lab.controlplane.identity.certificates import Pair
from lab.kube import record
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import CONFIG_MAPS, CRDS, NAMESPACES, SECRETS, Kind
from lab.kube.objects import Object, name, spec
from lab.mesh.builtin.control_plane import CONFIG, ISSUER_FIELDS, ISSUER_SECRET, TRUST_ROOTS
from lab.mesh.linkerd import release
from lab.mesh.linkerd.plan import Found, is_crds
from lab.mesh.linkerd.programs import Program
from lab.mesh.trust import is_good, trusts
from lab.topology.model import MeshVersion

VERSION_SECONDS = 20.0
ROUTES = "httproutes.gateway.networking.k8s.io"


async def program(version: MeshVersion) -> Program:
    """Raises EngineUnavailable that says what was found and what is missing."""
    seen = []
    for path in programs.candidates("linkerd", f"linkerd-{version}"):
        try:
            said = await process.run((path, "version", "--client", "--short"), timeout=VERSION_SECONDS)
            found = release.parse(said.stdout)
        except LabError as error:
            seen.append(f"{path}: {error}")
            continue
        if found.is_wanted(version):
            return Program("linkerd", path, found)
        seen.append(f"{path} is {found}")
    if version == "latest" and (helm := programs.which("helm")):
        return Program("helm", helm, release.parse(release.PINNED[version]))
    listed = "".join(f"\n  {line}" for line in seen)
    raise EngineUnavailable(
        f"no program here installs Linkerd {version}: neither its CLI{_or_helm(version)}{listed}",
        remedy=f"`lab tools linkerd{'' if version == 'latest' else f'-{version}'}` fetches its CLI",
    )


def _or_helm(version: MeshVersion) -> str:
    return " nor Helm" if version == "latest" else " (Helm has no chart for its links)"


def pinned(version: MeshVersion) -> Program:
    """The program as `lab plan` shows it where none is installed yet."""
    return Program("linkerd", "linkerd", release.parse(release.PINNED[version]))


async def survey(client: Client, anchor: Pair) -> Found:
    """What a cluster has. Raises UsageError for others' definitions of the Gateway API that are too old."""
    space, config, roots, issuer, routes = await together(
        _get(client, NAMESPACES, "linkerd"),
        _get(client, CONFIG_MAPS, CONFIG, "linkerd"),
        _get(client, CONFIG_MAPS, TRUST_ROOTS, "linkerd"),
        _get(client, SECRETS, ISSUER_SECRET, "linkerd"),
        _get(client, CRDS, ROUTES),
    )
    return Found(
        begun=space is not None,
        installed=_version(config) if config and issuer else "",
        issuer_is_good=roots is not None and trusts(roots, anchor) and is_good(issuer, anchor, ISSUER_FIELDS),
        has_gateway_api=routes is not None and await _is_usable(client, routes),
    )


async def _is_usable(client: Client, routes: Object) -> bool:
    if "v1" in {one["name"] for one in spec(routes)["versions"] if one.get("served")}:
        return True
    noted = await record.read(client)
    ours = [one for entry in filter(is_crds, noted) for one in record.listed(noted, entry)]
    if any(name(one) == ROUTES for one in ours):
        return False  # an older Linkerd brought them for this lab: ours take their place
    raise UsageError(
        f"{client.server} has definitions of the Gateway API without version v1, which this Linkerd needs",
        remedy="update them: https://gateway-api.sigs.k8s.io/guides/#installing-gateway-api",
    )


def _version(config: Object) -> str:
    values = yaml.safe_load((config.get("data") or {}).get("values") or "") or {}
    return str(values.get("linkerdVersion") or "unknown")


async def _get(client: Client, kind: Kind, called: str, namespace: str = "") -> Object | None:
    try:
        return await client.get(kind, called, namespace)
    except NotFound:
        return None
