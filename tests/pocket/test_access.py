"""Who may do what: certificates, tokens, anonymous, RBAC and reviews."""

from typing import Any

from .conftest import APPLY, Http, Server, config_map, pod

RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def as_user(server: Server, name: str, *groups: str) -> Http:
    server.pki.client(name, name, groups)
    return Http(server, name)


async def grant(http: Http, space: str, subject: dict[str, str], **rule: Any) -> None:
    base = space.replace("/api/v1", RBAC)
    found = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], **rule}
    await http.post(f"{base}/roles", {"metadata": {"name": "r"}, "rules": [found]})
    reference = {"kind": "Role", "name": "r"}
    await http.post(
        f"{base}/rolebindings", {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}
    )


async def token(http: Http, space: str, **spec: Any) -> str:
    reply = await http.post(f"{space}/serviceaccounts/default/token", {"spec": spec})
    assert reply.code == 201, reply.body
    return str(reply.body["status"]["token"])


async def test_a_user_without_a_binding_is_told_what_it_may_not_do(server: Server, space: str) -> None:
    jane = await as_user(server, "jane")
    reply = await jane.get(f"{space}/pods/x")
    await jane.close()
    name = space.rpartition("/")[2]
    expected = (
        'pods "x" is forbidden: User "jane" cannot get resource "pods" in API group "" '
        f'in the namespace "{name}"'
    )
    assert (reply.code, reply.body["message"]) == (403, expected)


async def test_a_role_binding_opens_its_namespace_only(http: Http, server: Server, space: str) -> None:
    await grant(http, space, {"kind": "User", "name": "joe"})
    await http.post(f"{space}/configmaps", config_map("a"))
    joe = await as_user(server, "joe")
    inside = await joe.get(f"{space}/configmaps/a")
    outside = await joe.get("/api/v1/namespaces/default/configmaps/a")
    await joe.close()
    assert (inside.code, outside.code) == (200, 403)


async def test_resource_names_narrow_a_rule(http: Http, server: Server, space: str) -> None:
    await grant(http, space, {"kind": "Group", "name": "crew"}, resourceNames=["a"])
    await http.post(f"{space}/configmaps", config_map("a"))
    sam = await as_user(server, "sam", "crew")
    codes = [(await sam.get(f"{space}/configmaps/{name}")).code for name in "ab"]
    await sam.close()
    assert codes == [200, 403]


async def test_a_service_account_token_is_its_user(http: Http, server: Server, space: str) -> None:
    await grant(http, space, {"kind": "ServiceAccount", "name": "default"})
    await http.post(f"{space}/configmaps", config_map("a"))
    account = Http(server, None, await token(http, space))
    reply = await account.get(f"{space}/configmaps/a")
    await account.close()
    assert reply.code == 200


async def test_a_token_ends_with_the_pod_it_is_bound_to(http: Http, server: Server, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    bound = await token(http, space, boundObjectRef={"kind": "Pod", "name": "p"})
    account = Http(server, None, bound)
    before = await account.get("/api")
    await http.delete(f"{space}/pods/p")
    after = await account.get("/api")
    await account.close()
    assert (before.code, after.code) == (200, 401)


async def test_a_forged_token_is_unauthorized(http: Http, server: Server, space: str) -> None:
    head, body, _ = (await token(http, space)).split(".")
    forger = Http(server, None, f"{head}.{body}.AAAA")
    reply = await forger.get("/api")
    await forger.close()
    assert (reply.code, reply.body["message"]) == (401, "Unauthorized")


async def test_a_token_for_another_audience_is_not_for_the_api(
    http: Http, server: Server, space: str
) -> None:
    account = Http(server, None, await token(http, space, audiences=["identity.l5d.io"]))
    reply = await account.get("/api")
    await account.close()
    assert reply.code == 401


async def test_a_token_review_tells_the_user_for_the_right_audience_only(http: Http, space: str) -> None:
    made = await token(http, space, audiences=["identity.l5d.io"])
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    good = await http.post(path, {"spec": {"token": made, "audiences": ["identity.l5d.io"]}})
    bad = await http.post(path, {"spec": {"token": made, "audiences": ["other"]}})
    name = space.rpartition("/")[2]
    assert good.body["status"]["user"]["username"] == f"system:serviceaccount:{name}:default"
    assert not bad.body["status"].get("authenticated")


async def test_a_token_secret_is_filled_and_opens_the_door(http: Http, server: Server, space: str) -> None:
    import base64

    body = {
        "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    }
    data = (await http.post(f"{space}/secrets", body)).body["data"]
    account = Http(server, None, base64.b64decode(data["token"]).decode())
    reply = await account.get("/api")
    await account.close()
    assert (set(data), reply.code) == ({"token", "ca.crt", "namespace"}, 200)


async def test_a_token_secret_made_first_is_filled_when_its_account_comes(http: Http, space: str) -> None:
    body = {
        "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "late"}},
        "type": "kubernetes.io/service-account-token",
    }
    before = (await http.post(f"{space}/secrets", body)).body
    await http.post(f"{space}/serviceaccounts", {"metadata": {"name": "late"}})
    after = (await http.get(f"{space}/secrets/t")).body
    assert ("data" in before, "token" in after["data"]) == (False, True)


async def test_anonymous_reads_health_and_nothing_else(server: Server) -> None:
    nobody = Http(server, None)
    codes = [(await nobody.get(path)).code for path in ("/readyz", "/version", "/api/v1/namespaces", "/apis")]
    await nobody.close()
    assert codes == [200, 200, 403, 403]


async def test_access_reviews_answer_for_oneself_and_for_others(http: Http, space: str) -> None:
    about = {"verb": "delete", "resource": "pods", "namespace": "default"}
    base = "/apis/authorization.k8s.io/v1"
    own = await http.post(f"{base}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": about}})
    other = await http.post(
        f"{base}/subjectaccessreviews", {"spec": {"user": "jane", "resourceAttributes": about}}
    )
    assert (own.body["status"]["allowed"], other.body["status"]["allowed"]) == (True, False)


async def test_a_pod_gets_its_accounts_token_mounted(http: Http, space: str) -> None:
    spec = (await http.post(f"{space}/pods", pod("p"))).body["spec"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert mount["name"] == spec["volumes"][0]["name"]


async def test_a_pod_of_a_missing_account_is_refused(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/pods", pod("p", serviceAccountName="ghost"))
    assert (reply.code, 'serviceaccount "ghost" not found' in reply.body["message"]) == (403, True)


async def test_the_edit_role_writes_what_manifests_contain_and_grants_nothing(
    http: Http, server: Server, space: str
) -> None:
    base = space.replace("/api/v1", RBAC)
    reference = {"kind": "ClusterRole", "name": "edit"}
    subjects = [{"kind": "User", "name": "eve"}]
    await http.post(
        f"{base}/rolebindings", {"metadata": {"name": "e"}, "roleRef": reference, "subjects": subjects}
    )
    eve = await as_user(server, "eve")
    made = await eve.post(f"{space}/configmaps", config_map("a"))
    budgets = space.replace("/api/v1", "/apis/policy/v1") + "/poddisruptionbudgets"
    stored = await eve.post(budgets, {"metadata": {"name": "a"}, "spec": {"minAvailable": 1}})
    granted = await eve.post(f"{base}/roles", {"metadata": {"name": "a"}})
    await eve.close()
    assert [reply.code for reply in (made, stored, granted)] == [201, 201, 403]


async def test_roles_of_custom_kinds_join_the_default_roles_by_label(http: Http) -> None:
    found = {}
    for name in ("admin", "edit", "view"):
        rule = (await http.get(f"{RBAC}/clusterroles/{name}")).body["aggregationRule"]
        found[name] = rule["clusterRoleSelectors"][0]["matchLabels"]
    label = "rbac.authorization.k8s.io/aggregate-to-"
    assert found == {name: {f"{label}{name}": "true"} for name in found}


async def test_who_may_only_update_creates_nothing_by_it(http: Http, server: Server, space: str) -> None:
    verbs = ["update", "patch", "get"]
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}
    await grant(http, space, {"kind": "User", "name": "kim"}, **rule)
    base = space.replace("/api/v1", "/apis/coordination.k8s.io/v1") + "/leases"
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}}
    kim = await as_user(server, "kim")
    put = await kim.put(f"{base}/a", body)
    applied = await kim.patch(f"{base}/a?fieldManager=kim", body, APPLY)
    await kim.close()
    assert (put.code, applied.code) == (403, 403)
    assert 'cannot create resource "leases"' in put.body["message"]
