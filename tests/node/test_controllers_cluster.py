"""What a cluster does by itself: roles that collect rules, nodes that fall silent, pods that must leave."""

from typing import Any

import pytest

from lab.kube.kinds import CLUSTER_ROLES, NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from lab.pocket.controllers import evictions, nodes
from lab.pocket.controllers.aggregation import aggregated
from lab.pocket.controllers.taints import leaves_at, wanted_taints
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder
from tests.node.cluster import Cluster, is_ready

Object = dict[str, Any]


def role(name: str, *verbs: str, **fields: Any) -> Object:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]} for verb in verbs]
    return {
        "apiVersion": CLUSTER_ROLES.api_version,
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": fields.pop("labels", {})},
        "rules": rules,
        **fields,
    }


COLLECT = {"clusterRoleSelectors": [{"matchLabels": {"for": "all"}}]}
FOR_ALL = {"for": "all"}


def test_aggregated_rules_come_by_role_name_and_once() -> None:
    others = [role("c", "get", labels=FOR_ALL), role("b", "list", "get", labels=FOR_ALL), role("a", "watch")]
    rules = aggregated(role("all", aggregationRule=COLLECT), others)
    assert [rule["verbs"] for rule in rules] == [["list"], ["get"]]


async def test_role_collects_rules_as_they_come_and_go(bare: Cluster) -> None:
    await bare.client.create(CLUSTER_ROLES, role("all", aggregationRule=COLLECT))
    await bare.client.create(CLUSTER_ROLES, role("one", "get", labels=FOR_ALL))
    await bare.until(CLUSTER_ROLES, "all", lambda r: len(r.get("rules") or ()) == 1, "")
    await bare.client.delete(CLUSTER_ROLES, "one")
    await bare.until(CLUSTER_ROLES, "all", lambda r: not r.get("rules"), "")


async def test_token_goes_with_its_account(bare: Cluster) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    token = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "token", "annotations": {"kubernetes.io/service-account.name": "robot"}},
    }
    await bare.client.create(SECRETS, token, "default")
    await bare.client.create(SERVICE_ACCOUNTS, account, "default")
    await bare.until(SECRETS, "token", lambda s: (s.get("data") or {}).get("token"))
    await bare.client.delete(SERVICE_ACCOUNTS, "robot", "default")
    await bare.until_gone(SECRETS, "token")


def node(ready: str = "True", **spec: Any) -> Object:
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": conditions}}


OTHERS = {"key": "mine", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("one", "keys"),
    [
        pytest.param(node(), [], id="ready"),
        pytest.param(node("False"), ["not-ready", "not-ready"], id="not ready"),
        pytest.param(node("Unknown"), ["unreachable", "unreachable"], id="unknown"),
        pytest.param(node(unschedulable=True), ["unschedulable"], id="cordoned"),
        pytest.param(
            node(taints=[OTHERS, {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]),
            ["mine"],
            id="ready again: only ours go",
        ),
    ],
)
def test_trouble_shows_as_taints(one: Object, keys: list[str]) -> None:
    assert [t["key"].removeprefix("node.kubernetes.io/") for t in wanted_taints(one)] == keys


@pytest.mark.parametrize(
    ("tolerations", "end"),
    [
        pytest.param([], 100.0, id="at once"),
        pytest.param([{"key": "mine", "operator": "Exists"}], None, id="never"),
        pytest.param(
            [{"key": "mine", "operator": "Exists", "tolerationSeconds": 30}], 40.0, id="after a while"
        ),
        pytest.param(
            [{"operator": "Exists"}, {"key": "mine", "operator": "Exists", "tolerationSeconds": 30}],
            None,
            id="one without a limit wins",
        ),
    ],
)
def test_pod_leaves_a_tainted_node(tolerations: list[Object], end: float | None) -> None:
    tainted = node(taints=[{**OTHERS, "timeAdded": "1970-01-01T00:00:10Z"}])
    assert leaves_at({"spec": {"tolerations": tolerations}}, tainted, 100.0) == end


async def test_tainted_node_ends_pods_that_do_not_tolerate_it(cluster: Cluster) -> None:
    await cluster.make_pod("stays", tolerations=[{"operator": "Exists"}])
    await cluster.make_pod("leaves")
    await cluster.ready("stays")
    await cluster.ready("leaves")
    await cluster.kubectl("taint", "node", "west-node", "mine=x:NoExecute")
    await cluster.until_gone(PODS, "leaves")
    assert is_ready(await cluster.get(PODS, "stays"))


async def test_cordoned_node_carries_the_taint_until_it_is_uncordoned(cluster: Cluster) -> None:
    await cluster.until(NODES, "west-node", lambda n: n["status"].get("conditions"), "")
    await cluster.kubectl("cordon", "west-node")
    await cluster.until(NODES, "west-node", lambda n: n["spec"].get("taints"), "")
    await cluster.kubectl("uncordon", "west-node")
    await cluster.until(NODES, "west-node", lambda n: not n["spec"].get("taints"), "")


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "ROUND", 0.05)
    monkeypatch.setattr(nodes, "GRACE", 4)
    monkeypatch.setattr(evictions, "QUARANTINE", 0.2)


@pytest.mark.usefixtures("_hasty")
async def test_silent_node_is_unknown_and_its_pods_are_not_ready(bare: Cluster) -> None:
    ghost = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}, "spec": {}}
    await bare.client.create(NODES, ghost)
    await bare.make_pod("web", nodeName="ghost")
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await bare.client.patch(PODS, "web", {"status": ready}, "default", "status")
    found = await bare.until(NODES, "ghost", lambda n: len(n["spec"].get("taints") or ()) == 2, "")
    [condition] = found["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusNeverUpdated")
    await bare.until(PODS, "web", lambda p: not is_ready(p))


@pytest.mark.usefixtures("_hasty")
async def test_a_node_is_not_given_up_for_the_time_that_the_server_was_away(
    bare: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bare.stop_controllers()
    await bare.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "mute"}})
    watches = Watches.of(bare.client)
    watches.nodes.items["", "mute"] = await bare.get(NODES, "mute", "")
    rounds = []

    async def next_round(_seconds: float) -> None:
        rounds.append((await bare.get(NODES, "mute", "")).get("status", {}).get("conditions"))
        watches.leases.is_live = len(rounds) > 20
        if len(rounds) == 40:
            raise EOFError("enough")

    monkeypatch.setattr(nodes, "pause", next_round)
    with pytest.raises(ExceptionGroup):
        await nodes.NodeLifecycle(bare.client, watches, Recorder(bare.client, "test")).run()
    assert not any(rounds[:21])
    assert rounds[-1][0]["status"] == "Unknown"


@pytest.mark.usefixtures("_hasty")
async def test_pods_of_a_node_that_is_gone_end(bare: Cluster) -> None:
    await bare.make_pod("web", nodeName="nowhere")
    await bare.until_gone(PODS, "web")
