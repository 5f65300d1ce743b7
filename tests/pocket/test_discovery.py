"""Discovery in both forms, OpenAPI documents and metadata-only answers."""

from .conftest import Http, config_map

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
    import json
    import re

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
