"""Discovery in both forms, health, OpenAPI documents and metadata-only answers."""

import json
import re

import pytest

from .conftest import Http, Server, config_map
from .test_custom import serve

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_aggregated_discovery_names_every_resource_of_a_group(http: Http) -> None:
    reply = await http.get("/apis", headers={"Accept": f"{AGGREGATED},application/json"})
    groups = {item["metadata"]["name"]: item for item in reply.body["items"]}
    apps = {entry["resource"] for entry in groups["apps"]["versions"][0]["resources"]}
    assert reply.headers["Content-Type"] == AGGREGATED
    assert {"deployments", "replicasets", "statefulsets", "daemonsets"} <= apps


async def test_plain_discovery_says_the_same(http: Http) -> None:
    plain = (await http.get("/api/v1")).body["resources"]
    aggregated = (await http.get("/api", headers={"Accept": AGGREGATED})).body["items"][0]
    entries = aggregated["versions"][0]["resources"]
    assert {e["name"] for e in plain if "/" not in e["name"]} == {e["resource"] for e in entries}


async def test_every_group_version_has_an_openapi_document(http: Http) -> None:
    index = (await http.get("/openapi/v3")).body["paths"]
    replies = [await http.get(entry["serverRelativeURL"]) for entry in index.values()]
    assert "apis/apps/v1" in index
    assert all(reply.code == 200 and reply.body["components"]["schemas"] for reply in replies)


async def test_the_old_openapi_document_has_merge_keys(http: Http) -> None:
    definitions = (await http.get("/openapi/v2")).body["definitions"]
    containers = definitions["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"


async def test_every_reference_in_a_document_resolves(http: Http) -> None:
    document = (await http.get("/openapi/v3/apis/apps/v1")).body
    wanted = set(re.findall(r"#/components/schemas/([\w.]+)", json.dumps(document)))
    assert wanted <= document["components"]["schemas"].keys()


async def test_metadata_only_lists_have_no_data(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a", k="v"))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    body = (await http.get(f"{space}/configmaps", headers={"Accept": accept})).body
    assert (body["kind"], "data" in body["items"][0]) == ("PartialObjectMetadataList", False)


async def test_a_yaml_body_is_read_and_a_yaml_answer_given(http: Http, space: str) -> None:
    headers = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    reply = await http.post(f"{space}/configmaps", b"metadata: {name: a}\ndata: {k: v}\n", headers=headers)
    assert (reply.code, b"kind: ConfigMap" in reply.body) == (201, True)


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_aggregated_discovery_is_sent_once(http: Http, version: str) -> None:
    accept = {"Accept": AGGREGATED.replace("v=v2", f"v={version}")}
    first = await http.get("/apis", headers=accept)
    again = await http.get("/apis", headers={**accept, "If-None-Match": first.headers["Etag"]})
    assert first.body["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    assert (again.code, again.body) == (304, b"")


async def test_discovery_changes_its_tag_with_the_kinds(http: Http, space: str) -> None:
    before = await http.get("/apis", headers={"Accept": AGGREGATED})
    await serve(http, space, "Tagged")
    after = await http.get("/apis", headers={"Accept": AGGREGATED, "If-None-Match": before.headers["Etag"]})
    assert after.code == 200
    (group,) = [item for item in after.body["items"] if item["metadata"]["name"] == "lab.test"]
    (entry,) = [r for r in group["versions"][0]["resources"] if r["resource"] == "taggeds"]
    assert entry["responseKind"] == {"group": "lab.test", "version": "v1", "kind": "Tagged"}
    assert [sub["subresource"] for sub in entry["subresources"]] == ["status"]


async def test_storage_version_hashes_are_upstreams(http: Http) -> None:
    found = {r["name"]: r for r in (await http.get("/api/v1")).body["resources"]}
    assert found["configmaps"]["storageVersionHash"] == "qFsyl6wFWjQ="
    assert "storageVersionHash" not in found["pods/log"]


async def test_a_groups_document_names_its_preferred_version(http: Http) -> None:
    body = (await http.get("/apis/apps")).body
    assert (body["kind"], body["preferredVersion"]["groupVersion"]) == ("APIGroup", "apps/v1")
    assert (await http.get("/apis/nowhere.example")).code == 404


@pytest.mark.parametrize("probe", ["healthz", "livez", "readyz"])
async def test_health_is_short_and_long(http: Http, probe: str) -> None:
    assert (await http.get(f"/{probe}")).body == b"ok"
    text = (await http.get(f"/{probe}?verbose&exclude=etcd")).body.decode()
    assert text == f"[+]etcd excluded: ok\n[+]ping ok\n{probe} check passed\n"
    assert ((await http.get(f"/{probe}/ping")).body, (await http.get(f"/{probe}/x")).code) == (b"ok", 404)


async def test_an_openapi_document_may_be_kept_under_its_hash(http: Http) -> None:
    url = (await http.get("/openapi/v3")).body["paths"]["apis/apps/v1"]["serverRelativeURL"]
    kept = await http.get(url)
    assert kept.headers["Cache-Control"] == "public, immutable"
    assert (await http.get(url, headers={"If-None-Match": kept.headers["Etag"]})).code == 304
    moved = await http.get("/openapi/v3/apis/apps/v1?hash=OLD", allow_redirects=False)
    assert (moved.code, moved.headers["Location"]) == (301, url)


async def test_a_custom_kinds_schema_is_published_with_its_kind(http: Http, space: str) -> None:
    before = (await http.get("/openapi/v3")).body["paths"].get("apis/lab.test/v1")
    await serve(http, space, "Published")
    after = (await http.get("/openapi/v3")).body["paths"]["apis/lab.test/v1"]
    schema = (await http.get(after["serverRelativeURL"])).body["components"]["schemas"][
        "test.lab.v1.Published"
    ]
    assert before != after
    assert schema["x-kubernetes-group-version-kind"] == [
        {"group": "lab.test", "version": "v1", "kind": "Published"}
    ]
    assert schema["properties"]["spec"]["properties"]["size"]["minimum"] == 1


async def test_lists_have_upstreams_merge_rules(http: Http) -> None:
    schemas = (await http.get("/openapi/v3/api/v1")).body["components"]["schemas"]
    ports = schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"
    args = schemas["io.k8s.api.core.v1.Container"]["properties"]["args"]
    assert args["x-kubernetes-list-type"] == "atomic"


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/openapi/v3/api/v1", "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"),
     ("/api/v1/namespaces", "application/cbor"),
     ("/api/v1/namespaces", "application/vnd.kubernetes.protobuf")],
)  # fmt: skip
async def test_answers_that_are_only_wanted_in_other_formats_are_refused(
    http: Http, path: str, accept: str
) -> None:
    assert (await http.get(path, headers={"Accept": accept})).code == 406
    assert (await http.get(path, headers={"Accept": f"{accept},application/json"})).code == 200


async def test_a_cbor_body_is_refused_with_what_is_accepted(http: Http, space: str) -> None:
    headers = {"Content-Type": "application/cbor"}
    reply = await http.post(f"{space}/configmaps", b"\xd9\xd9\xf7\xa0", headers=headers)
    assert (reply.code, "application/json" in reply.body["message"]) == (415, True)


def test_kubectl_explains_built_in_and_custom_kinds(server: Server) -> None:
    built_in = server.kubectl("explain", "deployment.spec", "--recursive")
    assert "      maxSurge\t<IntOrString>" in built_in
    assert "template\t<PodTemplateSpec> -required-" in built_in
    old = server.kubectl("explain", "pod.spec.containers.resources", "--output", "plaintext-openapiv2")
    assert "limits\t<map[string]string>" in old


async def test_kubectl_explains_a_custom_kind_in_both_forms(http: Http, server: Server, space: str) -> None:
    await serve(http, space, "Explained")
    assert "size\t<integer> -required-" in server.kubectl("explain", "explained.spec")
    old = server.kubectl("explain", "explained.spec", "--output", "plaintext-openapiv2")
    assert "size\t<integer> -required-" in old


async def test_both_forms_of_the_old_document_name_the_same_kinds(http: Http) -> None:
    media = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    plain = (await http.get("/openapi/v2")).body["definitions"]
    packed = await http.get("/openapi/v2", headers={"Accept": media})
    assert packed.headers["Content-Type"] == media
    assert all(name.encode() in packed.body for name in plain)
