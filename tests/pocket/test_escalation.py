"""Who may grant what: nobody gives more than they have, unless told that they may."""

from typing import Any

import pytest

from .conftest import Http, Server

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
OWN = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
    {"apiGroups": [GROUP], "resources": ["roles", "rolebindings"], "verbs": ["create", "update", "get"]},
]


@pytest.fixture
def base(space: str) -> str:
    return space.replace("/api/v1", RBAC)


async def granter(http: Http, server: Server, base: str, *more: dict[str, Any]) -> Http:
    """Someone who may write roles and bindings in the namespace, and read its ConfigMaps."""
    await http.post(f"{base}/roles", {"metadata": {"name": "own"}, "rules": [*OWN, *more]})
    reference = {"apiGroup": GROUP, "kind": "Role", "name": "own"}
    subjects = [{"kind": "User", "name": "giver"}]
    await http.post(
        f"{base}/rolebindings", {"metadata": {"name": "own"}, "roleRef": reference, "subjects": subjects}
    )
    server.pki.client("giver", "giver", ())
    return Http(server, "giver")


def role(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "rules": list(rules)}


def rule(resource: str, *verbs: str, **more: Any) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": [resource], "verbs": list(verbs), **more}


async def test_a_role_of_what_one_has_may_be_given(http: Http, server: Server, base: str) -> None:
    giver = await granter(http, server, base)
    reply = await giver.post(f"{base}/roles", role(rule("configmaps", "get", resourceNames=["a"])))
    await giver.close()
    assert reply.code == 201


async def test_a_role_of_more_is_refused_with_what_is_missing(http: Http, server: Server, base: str) -> None:
    giver = await granter(http, server, base)
    reply = await giver.post(
        f"{base}/roles", role(rule("configmaps", "get", "delete"), rule("secrets", "get", "list"))
    )
    await giver.close()
    expected = (
        f'roles.{GROUP} "r" is forbidden: user "giver" (groups=["system:authenticated"]) is attempting to '
        "grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    assert (reply.code, reply.body["message"]) == (403, expected)


async def test_an_update_cannot_widen_a_role(http: Http, server: Server, base: str) -> None:
    giver = await granter(http, server, base)
    await http.post(f"{base}/roles", role(rule("configmaps", "get")))
    reply = await giver.put(f"{base}/roles/r", role(rule("pods", "get")))
    await giver.close()
    assert reply.code == 403


async def test_a_rule_on_one_name_does_not_cover_all_names(http: Http, server: Server, base: str) -> None:
    giver = await granter(http, server, base, rule("pods", "get", resourceNames=["a"]))
    codes = [
        (await giver.post(f"{base}/roles?dryRun=All", role(rule("pods", "get", **more)))).code
        for more in ({"resourceNames": ["a"]}, {})
    ]
    await giver.close()
    assert codes == [201, 403]


async def test_a_role_of_more_may_not_be_bound(http: Http, server: Server, base: str) -> None:
    giver = await granter(http, server, base)
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
    reply = await giver.post(f"{base}/rolebindings", {"metadata": {"name": "b"}, "roleRef": reference})
    await giver.close()
    assert (reply.code, '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in reply.body["message"]) == (
        403, True,
    )  # fmt: skip


async def test_the_verb_bind_allows_to_bind_a_role_of_more(http: Http, server: Server, base: str) -> None:
    bind = {
        "apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["view"],
    }  # fmt: skip
    giver = await granter(http, server, base, bind)
    codes = []
    for name in ("view", "edit"):
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        body = {"metadata": {"name": name}, "roleRef": reference}
        codes.append((await giver.post(f"{base}/rolebindings", body)).code)
    await giver.close()
    assert codes == [201, 403]


async def test_the_verb_escalate_allows_to_give_more(http: Http, server: Server, base: str) -> None:
    more = {"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["escalate"]}
    giver = await granter(http, server, base, more)
    reply = await giver.post(f"{base}/roles", role(rule("secrets", "*")))
    await giver.close()
    assert reply.code == 201


async def test_binding_a_role_that_is_not_there_is_told(http: Http, server: Server, base: str) -> None:
    giver = await granter(http, server, base)
    reference = {"apiGroup": GROUP, "kind": "Role", "name": "ghost"}
    reply = await giver.post(f"{base}/rolebindings", {"metadata": {"name": "b"}, "roleRef": reference})
    await giver.close()
    assert (reply.code, reply.body["message"]) == (404, f'roles.{GROUP} "ghost" not found')


async def test_only_a_cluster_admin_writes_an_aggregation_rule(
    http: Http, server: Server, space: str
) -> None:
    name = space.rpartition("/")[2]
    rules = [{"apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["create"]}]
    await http.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    subjects = [{"kind": "User", "name": "maker", "apiGroup": GROUP}]
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": subjects}
    await http.post(f"{RBAC}/clusterrolebindings", binding)
    server.pki.client("maker", "maker", ())
    maker = Http(server, "maker")
    selector = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    body = {"metadata": {"name": f"{name}-all"}, "aggregationRule": selector}
    reply = await maker.post(f"{RBAC}/clusterroles", body)
    await maker.close()
    assert (reply.code, "must have cluster-admin privileges" in reply.body["message"]) == (403, True)
