"""Strategic merge patches by upstream's merge keys, and their directives."""

from typing import Any

import pytest

from lab.pocket.apiserver.errors import StatusError
from lab.pocket.apiserver.patching import upstream
from lab.pocket.apiserver.patching.strategic import strategic_merge

POD_SPEC = "io.k8s.api.core.v1.PodSpec"
DEPLOYMENT_SPEC = "io.k8s.api.apps.v1.DeploymentSpec"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def named(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, **more} for name in names]


def containers(target: list[Any], patch: dict[str, Any]) -> list[Any]:
    found: list[Any] = strategic_merge({"containers": target}, patch, POD_SPEC)["containers"]
    return found


@pytest.mark.parametrize(
    ("shape", "field", "key"),
    [
        (POD_SPEC, "containers", "name"),
        (POD_SPEC, "tolerations", None),
        (POD_SPEC, "topologySpreadConstraints", "topologyKey"),
        ("io.k8s.api.core.v1.Container", "volumeMounts", "mountPath"),
        ("io.k8s.api.core.v1.ServiceSpec", "ports", "port"),
        ("io.k8s.api.core.v1.ServiceAccount", "secrets", "name"),
        ("io.k8s.api.core.v1.NodeSpec", "taints", None),
        ("io.k8s.api.core.v1.PodStatus", "conditions", "type"),
        ("io.k8s.api.core.v1.EndpointSubset", "ports", None),
        ("io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration", "webhooks", "name"),
        (META, "finalizers", ""),
        (META, "ownerReferences", "uid"),
    ],
)
def test_merge_keys_are_upstreams(shape: str, field: str, key: str | None) -> None:
    assert upstream.field(shape, field).merge == key


def test_items_merge_by_key_and_new_ones_are_added() -> None:
    patch = {"containers": [{"name": "b", "image": "x"}, {"name": "c"}]}
    assert containers(named("a", "b"), patch) == [{"name": "a"}, {"name": "b", "image": "x"}, {"name": "c"}]


def test_an_item_is_deleted_by_its_key() -> None:
    assert containers(named("a", "b"), {"containers": [{"name": "a", "$patch": "delete"}]}) == named("b")


def test_a_list_is_replaced_when_it_says_so() -> None:
    assert containers(named("a", "b"), {"containers": [*named("c"), {"$patch": "replace"}]}) == named("c")


def test_a_map_is_replaced_or_deleted_when_it_says_so() -> None:
    target = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    replaced = strategic_merge(
        target, {"strategy": {"type": "Recreate", "$patch": "replace"}}, DEPLOYMENT_SPEC
    )
    assert replaced == {"strategy": {"type": "Recreate"}}
    assert strategic_merge(target, {"strategy": {"$patch": "delete"}}, DEPLOYMENT_SPEC) == {}


def test_retain_keys_drops_the_others() -> None:
    target = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_merge(target, patch, DEPLOYMENT_SPEC) == {"strategy": {"type": "Recreate"}}


def test_a_volume_changes_its_source_in_place() -> None:
    target = {"volumes": [{"name": "v", "emptyDir": {}}]}
    patch = {"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}]}
    merged = strategic_merge(target, patch, POD_SPEC)
    assert merged["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


def test_scalars_are_added_to_a_set_and_deleted_from_it() -> None:
    patch = {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_merge({"finalizers": ["a", "b"]}, patch, META) == {"finalizers": ["b", "c"]}


def test_scalars_of_other_lists_are_replaced() -> None:
    merged = strategic_merge({"args": ["a"]}, {"args": ["b"]}, "io.k8s.api.core.v1.Container")
    assert merged == {"args": ["b"]}


def test_set_element_order_orders_and_keeps_the_servers_items_in_place() -> None:
    patch = {"$setElementOrder/containers": named("c", "a"), "containers": named("c", image="x")}
    found = containers(named("a", "server", "c"), patch)
    assert [item["name"] for item in found] == ["server", "c", "a"]
    alone = containers(named("a", "b"), {"$setElementOrder/containers": named("b", "a")})
    assert [item["name"] for item in alone] == ["b", "a"]


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "$patch": "explode"}]}, "Unrecognized patch directive 'explode'"),
        ({"securityContext": {"$retainKeys": 3}}, r"\$retainKeys must be a list"),
    ],
)
def test_a_patch_that_makes_no_sense_is_refused(patch: dict[str, Any], says: str) -> None:
    with pytest.raises(StatusError, match=says):
        strategic_merge({"containers": named("a")}, patch, POD_SPEC)
