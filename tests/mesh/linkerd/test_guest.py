"""Linkerd in clusters that exist already: it goes as it came, and what was there before stays as it was."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lab.base.shipped import MANIFESTS
from lab.base.state import LabDir
from lab.engines.existing import contexts
from lab.engines.existing.examine import claim
from lab.engines.existing.guest import Guest
from lab.engines.existing.release import release
from lab.kube import objects
from lab.kube.kinds import CRDS, SERVICES
from lab.kube.manifests import apply_all, read
from lab.mesh.protocol import LinkSpec, MeshCluster
from lab.plan.visit import Reach
from lab.topology.model import MeshVersion
from tests.mesh.linkerd.conftest import Rig, everything


async def enter(lab: LabDir, cluster: MeshCluster) -> Guest:
    found = contexts.find(cluster.name, Reach(lab.context(cluster.name), str(lab.kubeconfig)))
    guest = await Guest.enter(found, "c1a1")
    await claim(guest, lab.name)
    return guest


@pytest.fixture
async def guests(rig: Rig) -> AsyncIterator[tuple[Guest, Guest]]:
    west, east = await enter(rig.dir, rig.west), await enter(rig.dir, rig.east)
    yield west, east
    await west.close()
    await east.close()


async def test_linkerd_leaves_a_cluster_without_a_trace_and_the_users_definitions_untouched(
    rig: Rig, guests: tuple[Guest, Guest]
) -> None:
    theirs = rig.west.client
    await apply_all(theirs, read(MANIFESTS / "gateway-api"), manager="somebody")
    before = await everything(theirs)
    routes = await theirs.get(CRDS, "httproutes.gateway.networking.k8s.io")
    mesh = rig.mesh()
    west, east = (replace(one, client=guest) for one, guest in zip((rig.west, rig.east), guests, strict=True))
    await mesh.install(west)
    await mesh.install(east)
    await mesh.link(west, east, LinkSpec())
    mirror = {"metadata": {"name": "front-east", "labels": MIRRORED}, "spec": {"ports": [{"port": 80}]}}
    await theirs.create(SERVICES, mirror, "default")
    assert len(await everything(theirs)) > len(before) + 30
    assert await release(guests[0]) == ()
    assert await everything(theirs) == before - {"configmaps kube-system/multicluster-lab-guest"}
    now = await theirs.get(CRDS, "httproutes.gateway.networking.k8s.io")
    assert objects.resource_version(now) == objects.resource_version(routes)


@pytest.mark.parametrize("version", ["latest", pytest.param("2.14", marks=pytest.mark.slow)])
async def test_a_plan_names_all_that_an_installation_makes(rig: Rig, version: MeshVersion) -> None:
    client = rig.west.client
    before = await everything(client)
    mesh = rig.mesh(version)
    planned = await mesh.preview("west")
    assert await everything(client) == before
    for cluster in (rig.west, rig.east):
        await mesh.install(cluster)
    await mesh.link(rig.west, rig.east, LinkSpec())
    found = [row.split(" ") for row in await everything(client) - before]
    made = {where.removeprefix("/") for kind, where in found if kind not in BY_CONTROLLERS}
    named = {"/".join(filter(None, objects.key(obj))) for obj in planned}
    assert made - {"kube-system/multicluster-lab"} == named - NOT_OF_THE_STAND_IN


NOT_OF_THE_STAND_IN = {"linkerd-service-mirror-access-local-resources-east"}
BY_CONTROLLERS = ("pods", "replicasets", "endpoints", "endpointslices")
MIRRORED = {"mirror.linkerd.io/mirrored-service": "true", "mirror.linkerd.io/cluster-name": "east"}
