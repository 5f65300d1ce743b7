"""The garbage collector: who goes with whom, also across kinds that it has never heard of."""

import contextlib
from typing import Any

from lab.kube.errors import ApiError
from lab.kube.kinds import CLUSTER_ROLES, CONFIG_MAPS, CRDS, NAMESPACES, ROLES, Kind
from tests.node.cluster import Cluster

Object = dict[str, Any]
TEAPOTS = Kind("lab.test", "v1", "Teapot", "teapots")


def config(name: str, *owners: Object, **meta: Any) -> Object:
    head = {"name": name, "namespace": "default", "ownerReferences": list(owners), **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head}


def reference(owner: Object, **fields: Any) -> Object:
    meta = owner["metadata"]
    head = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"]}
    return {**head, "uid": meta["uid"], **fields}


async def make_teapots(cluster: Cluster) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "teapots.lab.test"},
        "spec": {
            "group": "lab.test",
            "scope": "Namespaced",
            "names": {"plural": "teapots", "singular": "teapot", "kind": "Teapot", "listKind": "TeapotList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    await cluster.client.create(CRDS, crd)
    await cluster.kubectl("wait", "--for=condition=established", "crd/teapots.lab.test", "--timeout=10s")


def teapot(name: str, *owners: Object) -> Object:
    head = {"name": name, "namespace": "default", "ownerReferences": list(owners)}
    return {"apiVersion": "lab.test/v1", "kind": "Teapot", "metadata": head}


async def test_custom_owner_takes_its_dependents_along_and_goes_with_its_own(bare: Cluster) -> None:
    await make_teapots(bare)
    root = await bare.client.create(CONFIG_MAPS, config("root"))
    pot = await bare.client.create(TEAPOTS, teapot("pot", reference(root)))
    await bare.client.create(CONFIG_MAPS, config("leaf", reference(pot)))
    await bare.client.delete(CONFIG_MAPS, "root", "default")
    await bare.until_gone(TEAPOTS, "pot")
    await bare.until_gone(CONFIG_MAPS, "leaf")


async def test_end_of_a_kind_is_the_end_of_what_it_owned(bare: Cluster) -> None:
    await make_teapots(bare)
    pot = await bare.client.create(TEAPOTS, teapot("pot"))
    await bare.client.create(CONFIG_MAPS, config("leaf", reference(pot)))
    await bare.client.delete(CRDS, "teapots.lab.test")
    await bare.until_gone(CONFIG_MAPS, "leaf")


async def test_cluster_scoped_owner_takes_namespaced_dependents_along(bare: Cluster) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "boss"}}
    boss = await bare.client.create(CLUSTER_ROLES, role)
    worker = {
        "apiVersion": ROLES.api_version,
        "kind": "Role",
        "metadata": {"name": "worker", "namespace": "default", "ownerReferences": [reference(boss)]},
    }
    await bare.client.create(ROLES, worker)
    await bare.client.delete(CLUSTER_ROLES, "boss")
    await bare.until_gone(ROLES, "worker")


async def test_owner_by_that_name_but_another_uid_is_no_owner(bare: Cluster) -> None:
    root = await bare.client.create(CONFIG_MAPS, config("root"))
    await bare.client.create(CONFIG_MAPS, config("leaf", reference(root, uid="another")))
    await bare.until_gone(CONFIG_MAPS, "leaf")


async def test_owner_of_an_unknown_kind_keeps_its_dependents_until_the_kind_is_known(bare: Cluster) -> None:
    lost = {"apiVersion": "lab.test/v1", "kind": "Teapot", "name": "pot", "uid": "gone"}
    gone = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "gone too"}
    await bare.client.create(CONFIG_MAPS, config("kept", lost))
    await bare.client.create(CONFIG_MAPS, config("marker", gone))
    await bare.until_gone(CONFIG_MAPS, "marker")
    assert await bare.get(CONFIG_MAPS, "kept")
    await make_teapots(bare)
    await bare.until_gone(CONFIG_MAPS, "kept")


async def test_one_owner_left_keeps_the_dependent_and_the_absent_one_is_dropped(bare: Cluster) -> None:
    one = await bare.client.create(CONFIG_MAPS, config("one"))
    two = await bare.client.create(CONFIG_MAPS, config("two"))
    await bare.client.create(CONFIG_MAPS, config("leaf", reference(one), reference(two)))
    await bare.client.delete(CONFIG_MAPS, "one", "default")
    leaf = await bare.until(CONFIG_MAPS, "leaf", lambda c: len(c["metadata"]["ownerReferences"]) == 1)
    assert leaf["metadata"]["ownerReferences"][0]["name"] == "two"


async def test_foreground_waits_only_for_dependents_that_block(bare: Cluster) -> None:
    root = await bare.client.create(CONFIG_MAPS, config("root"))
    held = {"finalizers": ["lab.test/held"]}
    await bare.client.create(
        CONFIG_MAPS, config("blocking", reference(root, blockOwnerDeletion=True), **held)
    )
    await bare.client.create(CONFIG_MAPS, config("other", reference(root), **held))
    await bare.client.delete(CONFIG_MAPS, "root", "default", propagationPolicy="Foreground")
    await bare.until(CONFIG_MAPS, "blocking", lambda c: c["metadata"].get("deletionTimestamp"))
    assert await bare.get(CONFIG_MAPS, "root")
    await bare.client.patch(CONFIG_MAPS, "blocking", {"metadata": {"finalizers": None}}, "default")
    await bare.until_gone(CONFIG_MAPS, "root")
    await bare.until(CONFIG_MAPS, "other", lambda c: c["metadata"].get("deletionTimestamp"))


async def test_namespace_says_what_keeps_it_and_goes_when_that_is_gone(bare: Cluster) -> None:
    await bare.client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    )
    stuck = config("stuck", namespace="shop", finalizers=["lab.test/held"])
    await bare.client.create(CONFIG_MAPS, stuck)
    await bare.client.delete(NAMESPACES, "shop")

    def told(space: Object) -> bool:
        return len((space.get("status") or {}).get("conditions") or ()) == 5

    space = await bare.until(NAMESPACES, "shop", told, "")
    messages = {c["type"]: c["message"] for c in space["status"]["conditions"] if c["status"] == "True"}
    assert messages == {
        "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 1 resource instances",
        "NamespaceFinalizersRemaining": "Some content in the namespace has finalizers remaining: "
        "lab.test/held in 1 resource instances",
    }
    await bare.client.patch(CONFIG_MAPS, "stuck", {"metadata": {"finalizers": None}}, "shop")
    await bare.until_gone(NAMESPACES, "shop", "")


async def test_references_that_make_no_sense_harm_nobody_else(bare: Cluster) -> None:
    broken: list[Object] = [{"uid": "x"}, {"kind": "ReplicaSet", "controller": True}, {"name": "y"}]
    for number, reference_ in enumerate(broken):
        with contextlib.suppress(ApiError):  # refused is as good
            await bare.client.create(CONFIG_MAPS, config(f"broken-{number}", reference_))
    one = await bare.client.create(CONFIG_MAPS, config("one"))
    await bare.client.create(CONFIG_MAPS, config("leaf", reference(one)))
    await bare.client.delete(CONFIG_MAPS, "one", "default")
    await bare.until_gone(CONFIG_MAPS, "leaf")
