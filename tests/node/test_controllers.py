"""Controllers on the real API server, with the real node behind them."""

from typing import Any

from lab.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from tests.node.cluster import Cluster, container

Object = dict[str, Any]


def deployment(replicas: int, image: str = "multicluster.lab/apps") -> Object:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container("app", image=image)]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


def service(**spec: Any) -> Object:
    body = {"ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": body,
    }


def addresses(found: list[Object]) -> list[str]:
    return sorted(a for s in found for e in s.get("endpoints") or () for a in e["addresses"])


async def test_deployment_becomes_available(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, deployment(3))
    shown = await cluster.until(
        DEPLOYMENTS, "web", lambda d: d.get("status", {}).get("availableReplicas") == 3
    )
    reasons = {c["type"]: c["reason"] for c in shown["status"]["conditions"]}
    assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}


async def test_scaling_never_makes_more_pods_than_wanted(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, deployment(5))
    await cluster.until(DEPLOYMENTS, "web", lambda d: d.get("status", {}).get("availableReplicas") == 5)
    assert len(cluster.runtime.specs) == 5
    await cluster.client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 2}}, "default")
    await cluster.until_count(PODS, 2, "app=web")


async def test_new_template_rolls_out_to_a_second_revision(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, deployment(2))
    await cluster.until(DEPLOYMENTS, "web", lambda d: d.get("status", {}).get("availableReplicas") == 2)
    change = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
    await cluster.client.patch(DEPLOYMENTS, "web", change, "default", type="strategic")

    def is_done(d: Object) -> bool:
        status = d["status"]
        return status.get("updatedReplicas") == status.get("availableReplicas") == status["replicas"] == 2

    shown = await cluster.until(
        DEPLOYMENTS,
        "web",
        lambda d: d["status"]["observedGeneration"] == d["metadata"]["generation"] and is_done(d),
    )
    assert shown["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


async def test_deleted_deployment_takes_replica_sets_and_pods_along(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, deployment(2))
    await cluster.until(DEPLOYMENTS, "web", lambda d: d.get("status", {}).get("availableReplicas") == 2)
    await cluster.client.delete(DEPLOYMENTS, "web", "default")
    await cluster.until_count(REPLICA_SETS, 0, "app=web")
    await cluster.until_count(PODS, 0, "app=web")


async def test_foreground_deletion_ends_with_the_last_dependent(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, deployment(1))
    await cluster.until(DEPLOYMENTS, "web", lambda d: d.get("status", {}).get("availableReplicas") == 1)
    await cluster.client.delete(DEPLOYMENTS, "web", "default", propagationPolicy="Foreground")
    await cluster.until_gone(DEPLOYMENTS, "web")
    await cluster.until_count(PODS, 0, "app=web")


async def test_orphaned_pods_stay(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, deployment(1))
    await cluster.until(DEPLOYMENTS, "web", lambda d: d.get("status", {}).get("availableReplicas") == 1)
    await cluster.client.delete(DEPLOYMENTS, "web", "default", propagationPolicy="Orphan")
    await cluster.until_gone(DEPLOYMENTS, "web")
    [replica_set] = await cluster.until_count(REPLICA_SETS, 1, "app=web")
    assert not replica_set["metadata"].get("ownerReferences")


async def test_ready_pods_are_in_slices_and_endpoints(cluster: Cluster) -> None:
    await cluster.client.create(SERVICES, service(selector={"app": "web"}))
    await cluster.make_pod("web")
    pod = await cluster.ready("web")

    def has_ready(found: Object) -> bool:
        return any(s.get("addresses") for s in found.get("subsets") or ())

    shown = await cluster.until(ENDPOINTS, "web", has_ready)
    assert shown["subsets"][0]["addresses"][0]["ip"] == pod["status"]["podIP"]
    found = await cluster.client.list(ENDPOINT_SLICES, "default", "kubernetes.io/service-name=web")
    assert addresses(found) == [pod["status"]["podIP"]]


async def test_endpoints_go_with_a_service_that_went_while_nobody_looked(bare: Cluster) -> None:
    await bare.client.create(SERVICES, service(selector={"app": "web"}))
    await bare.until(ENDPOINTS, "web", lambda e: e)
    await bare.stop_controllers()
    await bare.client.delete(SERVICES, "web", "default")
    bare.start_controllers()
    await bare.until_gone(ENDPOINTS, "web")


async def test_hand_written_endpoints_get_a_slice_that_goes_with_them(cluster: Cluster) -> None:
    await cluster.client.create(SERVICES, service())
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": "172.28.0.11"}], "ports": [{"port": 4143}]}],
    }
    await cluster.client.create(ENDPOINTS, endpoints)
    found = await cluster.until_count(ENDPOINT_SLICES, 1, "kubernetes.io/service-name=web")
    assert addresses(found) == ["172.28.0.11"]
    await cluster.client.delete(ENDPOINTS, "web", "default")
    await cluster.until_count(ENDPOINT_SLICES, 0, "kubernetes.io/service-name=web")


async def test_load_balancer_gets_the_node_address(cluster: Cluster) -> None:
    await cluster.client.create(SERVICES, service(type="LoadBalancer"))
    shown = await cluster.until(SERVICES, "web", lambda s: s["status"].get("loadBalancer", {}).get("ingress"))
    assert shown["status"]["loadBalancer"]["ingress"][0]["ip"] == "172.28.0.10"


async def test_services_and_pods_of_other_controllers_are_left_to_them(cluster: Cluster) -> None:
    other = service(type="LoadBalancer", loadBalancerClass="other.test/balancer")
    await cluster.client.create(SERVICES, other)
    await cluster.make_pod("other", schedulerName="other-scheduler")
    await cluster.make_pod("mine")
    await cluster.ready("mine")
    assert not (await cluster.get(PODS, "other"))["spec"].get("nodeName")
    assert not (await cluster.get(SERVICES, "web"))["status"]["loadBalancer"]


async def test_namespace_gets_its_account_and_root_ca_and_goes_with_its_content(cluster: Cluster) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await cluster.client.create(NAMESPACES, space)
    await cluster.until(SERVICE_ACCOUNTS, "default", lambda a: a, "shop")
    await cluster.until(CONFIG_MAPS, "kube-root-ca.crt", lambda c: "BEGIN" in c["data"]["ca.crt"], "shop")
    await cluster.client.delete(NAMESPACES, "shop")
    await cluster.until_gone(NAMESPACES, "shop", "")


async def test_pod_that_fits_no_node_says_why(cluster: Cluster) -> None:
    await cluster.make_pod("web", nodeSelector={"disk": "ssd"})

    def told(pod: Object) -> bool:
        return any(c.get("reason") == "Unschedulable" for c in pod["status"].get("conditions") or ())

    pod = await cluster.until(PODS, "web", told)
    assert "didn't match Pod's node affinity/selector" in pod["status"]["conditions"][0]["message"]
