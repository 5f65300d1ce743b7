"""Does what acts say, one by one. Called by `mesh`.

Whatever goes wrong is told with the command that does the same by hand, so that a user can try it.
"""

import asyncio
import base64
from collections.abc import Mapping

from lab.base import process
from lab.base.errors import CommandError, LabError
from lab.base.state import write_private
from lab.base.wait import until
from lab.controlplane.identity.certificates import Pair
from lab.kube import record
from lab.kube.client import Client
from lab.kube.kinds import SECRETS, SERVICES
from lab.kube.manifests import parsed, read
from lab.kube.objects import Object, status
from lab.mesh.builtin import link_objects
from lab.mesh.linkerd.acts import (
    Act,
    ApplyFiles,
    GiveAddress,
    MakeIssuer,
    Place,
    Remove,
    RemoveMirrors,
    Render,
    WaitReady,
    WriteLink,
)
from lab.mesh.linkerd.explain import explained
from lab.mesh.linkerd.rollout import wait_ready
from lab.mesh.mirrors import remove_mirrors
from lab.mesh.protocol import MeshCluster
from lab.mesh.trust import is_good_pair, new_issuer

RENDER_SECONDS = 330.0
"""How long a program may take to print manifests: the CLI itself waits 300 s for a control plane."""
ADDRESS_SECONDS = 300.0
TOKEN_SECONDS = 60.0
NAMESPACE = link_objects.NAMESPACE
TOKEN_SECRET = "linkerd-service-mirror-remote-access-default-token"


async def perform(act: Act, clusters: Mapping[str, MeshCluster], anchor: Pair) -> None:
    """Raises LabError that names the act, what was seen, and what to do about it."""
    client = clusters[act.where.name].client
    match act:
        case MakeIssuer(where=where):
            await asyncio.to_thread(_make_issuer, where, anchor)
        case Render():
            await _render(act, client)
        case ApplyFiles(entry=entry, paths=paths):
            await record.converge(client, entry, [obj for path in paths for obj in read(path)])
        case WaitReady(namespace=namespace):
            await wait_ready(client, namespace, f"cluster {act.where.name}", act.line)
        case GiveAddress():
            await _give_address(act, client)
        case WriteLink(entry=entry, target=target, spec=spec):
            known = await _target(clusters[target.name], target, has_gateway=spec.has_gateway)
            objects = [*link_objects.credentials(known), link_objects.link(known, spec)]
            await record.converge(client, entry, objects)
        case Remove(entry=entry):
            await record.converge(client, entry, ())
        case RemoveMirrors(target=cluster):
            await remove_mirrors(client, cluster)


def _make_issuer(place: Place, anchor: Pair) -> None:
    files = place.issuer, place.issuer_key
    if all(file.exists() for file in files) and is_good_pair(Pair(*(f.read_bytes() for f in files)), anchor):
        return
    pair = new_issuer(anchor)
    write_private(place.issuer_key, pair.key)
    write_private(place.issuer, pair.certificate)


async def _render(act: Render, client: Client) -> None:
    try:
        said = await process.run(act.argv, timeout=RENDER_SECONDS)
    except CommandError as error:
        raise explained(error, act.line) from error
    objects = parsed(said.stdout, f"that `{' '.join(act.argv)}` printed")
    if not objects:
        raise LabError(f"`{' '.join(act.argv)}` printed no manifests", remedy=f"run it by hand: {act.line}")
    await record.converge(client, act.entry, objects)


async def _give_address(act: GiveAddress, client: Client) -> None:
    if act.addresses:
        ingress = [{"ip": address} for address in act.addresses]
        body = {"status": {"loadBalancer": {"ingress": ingress}}}
        await client.patch(SERVICES, "linkerd-gateway", body, NAMESPACE, sub="status")

    async def probe() -> bool:
        return bool(_ingress(await client.get(SERVICES, "linkerd-gateway", NAMESPACE)))

    try:
        what = f"cluster {act.where.name}: Service {NAMESPACE}/linkerd-gateway has an address"
        await until(probe, timeout=ADDRESS_SECONDS, every=0.2, what=what)
    except LabError as error:
        remedy = (
            "no load balancer gave it one; install one in that cluster, or leave gateway out of the links"
        )
        raise LabError(str(error), remedy=remedy) from error


async def _target(cluster: MeshCluster, place: Place, *, has_gateway: bool) -> link_objects.Target:
    async def probe() -> str:
        secret = await cluster.client.get(SECRETS, TOKEN_SECRET, NAMESPACE)
        return str((secret.get("data") or {}).get("token", ""))

    what = f"cluster {cluster.name}: Secret {NAMESPACE}/{TOKEN_SECRET} has a token"
    token = base64.b64decode(await until(probe, timeout=TOKEN_SECONDS, every=0.2, what=what)).decode()
    gateway = await cluster.client.get(SERVICES, "linkerd-gateway", NAMESPACE) if has_gateway else {}
    return link_objects.Target(place.name, place.api, cluster.api_ca, token, _ingress(gateway))


def _ingress(service: Object) -> tuple[str, ...]:
    found = (status(service).get("loadBalancer") or {}).get("ingress") or []
    return tuple(entry.get("ip") or entry.get("hostname") for entry in found)
