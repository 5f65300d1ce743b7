"""Headless services: mirrored pod by pod where the link asks for it, and as ordinary ones elsewhere."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from lab.controlplane.mirror.main import Controller
from lab.controlplane.mirror.probe import Profile
from lab.kube.kinds import ENDPOINTS, LINKS, NAMESPACES, SERVICES
from lab.kube.objects import annotations, labels
from lab.mesh.builtin.mesh import BuiltinMesh
from lab.mesh.protocol import LinkSpec, MeshCluster
from tests.mesh.mirror.conftest import Pair, as_service_account
from tests.mesh.mirror.objects import service

Unlinked = tuple[MeshCluster, MeshCluster, BuiltinMesh]


@contextlib.asynccontextmanager
async def linked(unlinked: Unlinked, profile: Profile) -> AsyncIterator[Pair]:
    """West mirrors east under this profile, with the rights that the link gives."""
    west, east, mesh = unlinked
    spec = LinkSpec(headless=profile.headless, creates_namespaces=profile.creates_namespaces)
    await mesh.link(west, east, spec)
    client = await as_service_account(west, "controller-east", "linkerd-multicluster")
    controller = Controller(client, "linkerd-multicluster", "east", profile)
    running = asyncio.create_task(controller.run())
    try:
        yield Pair(west, east, mesh, controller)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await client.close()


@pytest.fixture
async def headless(unlinked: Unlinked) -> AsyncIterator[Pair]:
    async with linked(unlinked, Profile("latest", headless=True)) as pair:
        yield pair


def named(**pods: str) -> dict[str, Any]:
    """Subsets with pods by host name."""
    addresses = [{"ip": ip, "hostname": hostname.replace("_", "-")} for hostname, ip in pods.items()]
    return {"subsets": [{"addresses": addresses, "ports": [{"name": "http", "port": 8080}]}]}


async def export_headless(pair: Pair, exported: str = "true", namespace: str = "shop", **more: str) -> None:
    obj = service(namespace=namespace, exported=exported, **more)
    del obj["metadata"]["resourceVersion"]
    obj["spec"]["clusterIP"] = "None"
    await pair.east.client.create(SERVICES, obj)
    meta = {"name": "web", "namespace": namespace}
    subsets = named(web_0="10.21.0.5", web_1="10.21.0.6")
    await pair.east.client.create(
        ENDPOINTS, {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, **subsets}
    )


def hosts(endpoints: Mapping[str, Any]) -> dict[str, str]:
    found = [a for s in endpoints.get("subsets") or [] for a in s.get("addresses") or []]
    return {a.get("hostname", ""): a["ip"] for a in found}


async def test_each_named_pod_gets_a_mirror_behind_the_gateway(headless: Pair) -> None:
    await export_headless(headless)
    pod = await headless.eventually(SERVICES, "web-0-east", lambda _: True)
    assert labels(pod)["mirror.linkerd.io/headless-mirror-svc-name"] == "web-east"
    assert annotations(pod)["mirror.linkerd.io/remote-svc-fq-name"] == "web-0.web.shop.svc.cluster.local"
    endpoints = await headless.eventually(ENDPOINTS, "web-0-east", hosts)
    assert hosts(endpoints) == {"": "172.28.0.11"}


async def test_the_headless_mirror_lists_its_pods_mirrors_by_host_name(headless: Pair) -> None:
    await export_headless(headless)
    listed = await headless.eventually(ENDPOINTS, "web-east", lambda e: len(hosts(e)) == 2)
    first = await headless.mirror("web-0-east")
    second = await headless.mirror("web-1-east")
    assert hosts(listed) == {"web-0": first["spec"]["clusterIP"], "web-1": second["spec"]["clusterIP"]}
    assert (await headless.mirror())["spec"]["clusterIP"] == "None"


async def test_a_pod_that_goes_takes_its_mirror_along(headless: Pair) -> None:
    await export_headless(headless)
    await headless.mirror("web-1-east")
    await headless.east.client.patch(ENDPOINTS, "web", named(web_0="10.21.0.5"), "shop")
    await headless.gone(SERVICES, "web-1-east")
    await headless.eventually(ENDPOINTS, "web-east", lambda e: list(hosts(e)) == ["web-0"])


async def test_unexporting_removes_the_pods_mirrors_too(headless: Pair) -> None:
    await export_headless(headless)
    await headless.mirror("web-1-east")
    await headless.relabel(None)
    for name in ("web-east", "web-0-east", "web-1-east"):
        await headless.gone(SERVICES, name)


async def test_a_pods_mirror_that_somebody_deletes_comes_back(headless: Pair) -> None:
    await export_headless(headless)
    before = await headless.mirror("web-0-east")
    await headless.west.client.delete(SERVICES, "web-0-east", "shop")
    await headless.eventually(
        SERVICES, "web-0-east", lambda s: s["metadata"]["uid"] != before["metadata"]["uid"]
    )


async def test_without_named_pods_the_mirror_is_an_ordinary_one(headless: Pair) -> None:
    await export_headless(headless)
    await headless.mirror("web-0-east")
    unnamed = {"addresses": [{"ip": "10.21.0.5"}], "ports": [{"name": "http", "port": 8080}]}
    await headless.east.client.patch(ENDPOINTS, "web", {"subsets": [unnamed]}, "shop")
    await headless.eventually(SERVICES, "web-east", lambda s: s["spec"]["clusterIP"] != "None")
    await headless.gone(SERVICES, "web-0-east")


async def test_a_link_that_does_not_ask_mirrors_it_as_an_ordinary_one(link: Pair) -> None:
    await export_headless(link)
    found = await link.mirror()
    assert found["spec"]["clusterIP"] != "None"
    await link.gone(SERVICES, "web-0-east")


async def test_a_headless_service_cannot_be_federated_and_the_status_says_so(link: Pair) -> None:
    await export_headless(link, federated="member")

    def is_refused(found: Mapping[str, Any]) -> bool:
        listed = (found.get("status") or {}).get("federatedServices") or []
        return [c["reason"] for one in listed for c in one["conditions"]] == ["InvalidService"]

    await link.eventually(LINKS, "east", is_refused, "linkerd-multicluster")
    await link.gone(SERVICES, "web-federated")


async def test_a_missing_namespace_is_created_where_the_link_may(unlinked: Unlinked) -> None:
    async with linked(unlinked, Profile("latest", creates_namespaces=True)) as pair:
        head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}
        await pair.east.client.create(NAMESPACES, head)
        await pair.export(namespace="new")
        await pair.mirror(namespace="new")


async def test_a_headless_service_exported_flat_is_mirrored_as_an_ordinary_one(headless: Pair) -> None:
    """Linkerd does not mirror it at all where headless mirrors are on."""
    await export_headless(headless, exported="remote-discovery")
    found = await headless.mirror()
    assert found["spec"]["clusterIP"] != "None"
    assert labels(found)["multicluster.linkerd.io/remote-service"] == "web"
