"""A link at work between two real API servers, with the rights its service account has."""

from typing import Any

from lab.base.wait import until
from lab.kube.kinds import ENDPOINTS, EVENTS, LEASES, LINKS, NAMESPACES, SERVICES
from lab.kube.objects import annotations, labels
from tests.mesh.mirror.conftest import Pair, make_namespace, ready_ips
from tests.mesh.mirror.objects import service


async def test_an_exported_service_is_mirrored_with_the_gateway_as_its_endpoint(link: Pair) -> None:
    await link.export()
    found = await link.eventually(ENDPOINTS, "web-east", ready_ips)
    assert (ready_ips(found), found["subsets"][0]["ports"]) == (
        ["172.28.0.11"],
        [{"name": "http", "port": 4143, "protocol": "TCP"}],
    )


async def test_a_flat_mirror_has_no_endpoints_of_the_mirrors_making(link: Pair) -> None:
    await link.export(exported="remote-discovery")
    found = await link.mirror()
    assert labels(found)["multicluster.linkerd.io/remote-discovery"] == "east"
    await link.gone(ENDPOINTS, "web-east")


async def test_taking_the_export_label_away_removes_the_mirror(link: Pair) -> None:
    await link.export()
    await link.mirror()
    await link.relabel(None)
    await link.gone(SERVICES, "web-east")


async def test_deleting_the_remote_service_removes_the_mirror(link: Pair) -> None:
    await link.export()
    await link.mirror()
    await link.east.client.delete(SERVICES, "web", "shop")
    await link.gone(SERVICES, "web-east")


async def test_relabelling_from_gateway_to_flat_removes_the_endpoints(link: Pair) -> None:
    await link.export()
    await link.eventually(ENDPOINTS, "web-east", ready_ips)
    await link.relabel("remote-discovery")
    await link.gone(ENDPOINTS, "web-east")


async def test_scaling_the_target_to_zero_empties_the_mirror_and_back(link: Pair) -> None:
    await link.export()
    await link.eventually(ENDPOINTS, "web-east", ready_ips)
    await link.set_ready(False)
    await link.eventually(ENDPOINTS, "web-east", lambda e: not e.get("subsets"))
    await link.set_ready(True)
    await link.eventually(ENDPOINTS, "web-east", ready_ips)


async def test_changed_ports_reach_the_mirror(link: Pair) -> None:
    await link.export()
    await link.mirror()
    ports = [{"name": "grpc", "port": 9090, "targetPort": 9090}]
    await link.east.client.patch(SERVICES, "web", {"spec": {"ports": ports}}, "shop")
    await link.eventually(SERVICES, "web-east", lambda s: s["spec"]["ports"][0]["port"] == 9090)


async def test_a_mirror_that_somebody_deletes_comes_back(link: Pair) -> None:
    await link.export()
    first = (await link.mirror())["metadata"]["uid"]
    await link.west.client.delete(SERVICES, "web-east", "shop")
    await link.eventually(SERVICES, "web-east", lambda s: s["metadata"]["uid"] != first)


async def test_a_service_of_a_missing_namespace_waits_for_the_namespace(link: Pair) -> None:
    await make_namespace(link.east.client, "books")
    await link.export(namespace="books")

    async def skipped() -> list[dict[str, Any]]:
        events = await link.east.client.list(EVENTS, "books")
        return [e for e in events if e["reason"] == "ServiceMirroringSkipped"]

    told = await until(skipped, timeout=8, what="the remote Service has an Event")
    assert told[0]["involvedObject"]["name"] == "web"
    await make_namespace(link.west.client, "books")
    await link.mirror(namespace="books")


async def test_a_deleted_local_namespace_takes_its_mirrors_and_a_new_one_gets_them_again(link: Pair) -> None:
    await link.export()
    await link.mirror()
    await link.west.client.delete(NAMESPACES, "shop")
    await link.gone(NAMESPACES, "shop", "")
    await make_namespace(link.west.client, "shop")
    await link.mirror()


async def test_a_local_service_of_the_mirrors_name_is_left_alone(link: Pair) -> None:
    own = service("web-east")
    del own["metadata"]["resourceVersion"]
    await link.west.client.create(SERVICES, own)
    await link.export()

    def has_error(obj: dict[str, Any]) -> bool:
        entries = (obj.get("status") or {}).get("mirrorServices") or []
        return any(c["reason"] == "Error" for e in entries for c in e["conditions"])

    await link.eventually(LINKS, "east", has_error, "linkerd-multicluster")
    assert "mirror.linkerd.io/mirrored-service" not in labels(
        await link.west.client.get(SERVICES, "web-east", "shop")
    )


async def test_the_link_status_lists_each_mirror(link: Pair) -> None:
    await link.export()
    found = await link.eventually(
        LINKS, "east", lambda o: (o.get("status") or {}).get("mirrorServices"), "linkerd-multicluster"
    )
    entry = found["status"]["mirrorServices"][0]
    assert (entry["remoteRef"]["name"], entry["conditions"][0]["reason"]) == ("web", "Mirrored")
    assert entry["conditions"][0]["localRef"]["name"] == "web-east"


async def test_the_controller_holds_its_lease(link: Pair) -> None:
    def is_held(lease: dict[str, Any]) -> Any:
        return lease["spec"].get("holderIdentity")

    await link.eventually(LEASES, "service-mirror-write-east", is_held, "linkerd-multicluster")


async def test_a_federated_member_makes_and_unmakes_the_federated_service(link: Pair) -> None:
    await link.export(federated="member")
    found = await link.mirror("web-federated")
    assert annotations(found) == {"multicluster.linkerd.io/remote-discovery": "web@east"}
    await link.relabel(None, key="mirror.linkerd.io/federated")
    await link.gone(SERVICES, "web-federated")


async def test_a_probe_service_that_was_given_another_port_keeps_it(link: Pair) -> None:
    """The probe goes to the Link's port at this Service, so whoever changes one must change the other."""
    place = "linkerd-multicluster"
    await link.eventually(ENDPOINTS, "probe-east", ready_ips, place)
    at_node_port = {"spec": {"ports": [{"name": "mc-probe", "port": 30191}]}}
    await link.west.client.patch(SERVICES, "probe-east", at_node_port, place)
    await link.west.client.patch(LINKS, "east", {"spec": {"probeSpec": {"port": "30191"}}}, place)
    await link.eventually(
        ENDPOINTS, "probe-east", lambda e: e["subsets"][0]["ports"][0]["port"] == 30191, place
    )
    found = await link.mirror("probe-east", place)
    assert [port["port"] for port in found["spec"]["ports"]] == [30191]


async def test_a_dead_gateway_makes_its_endpoints_not_ready_and_a_live_one_ready_again(link: Pair) -> None:
    await link.export()
    await link.eventually(ENDPOINTS, "web-east", ready_ips)

    def is_dead(endpoints: dict[str, Any]) -> bool:
        return bool(endpoints.get("subsets")) and not ready_ips(endpoints)

    assert link.controller.watcher is not None
    await link.controller.watcher.gateway.set_liveness(False)
    await link.eventually(ENDPOINTS, "web-east", is_dead)
    await link.controller.watcher.gateway.set_liveness(True)
    await link.eventually(ENDPOINTS, "web-east", ready_ips)


async def test_removing_the_link_removes_mirrors_credentials_and_controller(link: Pair) -> None:
    await link.export("web")
    await link.export("api", exported="remote-discovery")
    await link.export("all", federated="member")
    await link.mirror("web-east")
    await link.mirror("api-east")
    await link.mirror("all-federated")
    await link.mesh.unlink(link.west, "east")
    left = await link.west.client.list(SERVICES, labels="mirror.linkerd.io/mirrored-service=true")
    assert left == []
    assert await link.mesh.links(link.west) == []


async def test_linking_again_changes_nothing(link: Pair) -> None:
    before = await link.west.client.get(LINKS, "east", "linkerd-multicluster")
    await link.mesh.link(link.west, link.east, (await link.mesh.links(link.west))[0].spec)
    after = await link.west.client.get(LINKS, "east", "linkerd-multicluster")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


async def test_mirrors_whose_remote_vanished_meanwhile_are_collected_at_the_start(link: Pair) -> None:
    orphan = service("old-east")
    orphan["metadata"] = {
        "name": "old-east",
        "namespace": "shop",
        "labels": {"mirror.linkerd.io/mirrored-service": "true", "mirror.linkerd.io/cluster-name": "east"},
    }
    await link.west.client.create(SERVICES, orphan)
    await link.gone(SERVICES, "old-east")
