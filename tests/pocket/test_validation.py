"""What is refused for its shape, in upstream's words: metadata, names, immutable and required fields."""

from typing import Any

import pytest

from lab.pocket.apiserver.validate import kinds

from .conftest import Http, config_map, deployment, pod
from .stored_manifests import manifests

STORED = manifests()


async def refused(http: Http, path: str, body: dict[str, Any], method: str = "POST") -> str:
    reply = await http(method, path, body)
    assert (reply.code, reply.body["reason"]) == (422, "Invalid"), reply.body
    return str(reply.body["message"])


METADATA = [
    ({"labels": {"a/b/c": "x"}}, 'metadata.labels: Invalid value: "a/b/c": a qualified name must consist of'),
    ({"labels": {"-a": "x"}}, 'metadata.labels: Invalid value: "-a": name part must consist of'),
    ({"labels": {"a": "x y"}}, 'metadata.labels: Invalid value: "x y": a valid label must be an empty'),
    ({"labels": {"a": "x" * 64}}, "must be no more than 63 bytes"),
    ({"annotations": {"a b": "x"}}, 'metadata.annotations: Invalid value: "a b": name part must consist of'),
    ({"annotations": {"a": "x" * 262144}}, "annotations: Too long: may not be more than 262144 bytes"),
    ({"finalizers": ["a b"]}, 'metadata.finalizers: Invalid value: "a b": name part must consist of'),
    ({"finalizers": ["orphan", "foregroundDeletion"]},
     "finalizer orphan and foregroundDeletion cannot be both set"),
    ({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
     'metadata.ownerReferences.uid: Invalid value: "": must not be empty'),
    ({"ownerReferences": [
        {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True} for name in "pq"
    ]}, 'Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/q'),
]  # fmt: skip


@pytest.mark.parametrize(("meta", "text"), METADATA)
async def test_wrong_metadata_is_invalid(http: Http, space: str, meta: dict[str, Any], text: str) -> None:
    said = await refused(http, f"{space}/configmaps", {"metadata": {"name": "a", **meta}})
    assert said.startswith('ConfigMap "a" is invalid: ')
    assert text in said


NAMES = [
    ("/api/v1/namespaces", "a.b", "a lowercase RFC 1123 label must consist of"),
    ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "a%b", "may not contain '%'"),
    ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "..", "may not be '..'"),
    ("configmaps", "A", "a lowercase RFC 1123 subdomain must consist of"),
    ("configmaps", "a" * 254, "must be no more than 253 bytes"),
    ("services", "1a", "a DNS-1035 label must consist of"),
]


@pytest.mark.parametrize(("path", "name", "text"), NAMES)
async def test_a_name_follows_its_kinds_rule(http: Http, space: str, path: str, name: str, text: str) -> None:
    at = path if path.startswith("/") else f"{space}/{path}"
    said = await refused(http, at, {"metadata": {"name": name}})
    assert f'metadata.name: Invalid value: "{name}": {text}' in said


async def test_the_details_name_the_object_and_every_cause(http: Http, space: str) -> None:
    body = deployment("d")
    body["spec"]["template"]["spec"]["containers"][0].pop("image")
    body["spec"]["replicas"] = -1
    base = space.replace("/api/v1", "/apis/apps/v1")
    details = (await http.post(f"{base}/deployments", body)).body["details"]
    causes = [(cause["reason"], cause["field"]) for cause in details["causes"]]
    assert (details["name"], details["group"], details["kind"]) == ("d", "apps", "Deployment")
    assert causes == [
        ("FieldValueInvalid", "spec.replicas"),
        ("FieldValueRequired", "spec.template.spec.containers[0].image"),
    ]


STORED_REFUSALS = [
    ("batch/v1/CronJob", {"schedule": "* *"}, 'schedule: Invalid value: "* *": expected exactly 5 fields'),
    ("policy/v1/PodDisruptionBudget", {"maxUnavailable": 1},
     "minAvailable and maxUnavailable cannot be both set"),
    ("autoscaling/v2/HorizontalPodAutoscaler", {"maxReplicas": 0},
     "spec.maxReplicas: Invalid value: 0: must be greater than 0"),
    ("networking.k8s.io/v1/Ingress", {"rules": []}, "either `defaultBackend` or `rules` must be specified"),
    ("networking.k8s.io/v1/IngressClass", {"controller": ""}, "spec.controller: Required value"),
    ("v1/PersistentVolumeClaim", {"accessModes": ["Any"]},
     'spec.accessModes: Unsupported value: "Any": supported values: "ReadOnlyMany"'),
    ("v1/PersistentVolume", {"hostPath": None}, "spec: Required value: must specify a volume type"),
    ("certificates.k8s.io/v1/CertificateSigningRequest", {"signerName": None},
     "spec.signerName: Required value"),
    ("v1/ReplicationController", {"selector": {"app": "b"}},
     "`selector` does not match template `labels`"),
    ("admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy", {"validations": []},
     "validations or auditAnnotations must be specified"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "text"), STORED_REFUSALS)
async def test_a_stored_kind_is_refused_as_a_real_cluster_would(
    http: Http, space: str, kind: str, spec: dict[str, Any], text: str
) -> None:
    version, _, name = kind.rpartition("/")
    manifest = {**STORED[kind], "spec": {**STORED[kind]["spec"], **spec}}
    manifest["spec"] = {key: value for key, value in manifest["spec"].items() if value is not None}
    plural = f"{name.lower()}s".replace("sss", "sses").replace("ys", "ies")
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    cluster = name in (
        "IngressClass",
        "PersistentVolume",
        "CertificateSigningRequest",
        "ValidatingAdmissionPolicy",
    )
    plural = plural if name != "Ingress" else "ingresses"
    at = f"{root}/{plural}" if cluster else f"{root}/namespaces/{space.rpartition('/')[2]}/{plural}"
    assert text in await refused(http, at, manifest)


async def test_the_selector_of_a_deployment_is_immutable(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    other = deployment("d")
    other["spec"]["selector"]["matchLabels"]["x"] = "y"
    other["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    said = await refused(http, f"{base}/d", other, "PUT")
    assert 'spec.selector: Invalid value: {"matchLabels": {"app": "d", "x": "y"}}: field is immutable' in said


async def test_a_statefulset_changes_only_what_it_may(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/statefulsets"
    await http.post(base, {**deployment("s", serviceName="s"), "kind": "StatefulSet"})
    scaled = await http.patch(f"{base}/s", {"spec": {"replicas": 3}})
    moved = await http.patch(f"{base}/s", {"spec": {"serviceName": "t"}})
    text = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
    assert (scaled.code, moved.code, text in moved.body["message"]) == (200, 422, True)


async def test_pods_of_a_statefulset_may_mount_its_claims(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/statefulsets"
    wanted = {**deployment("s", serviceName="s"), "kind": "StatefulSet"}
    mount = {"name": "data", "mountPath": "/data"}
    wanted["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [mount]
    without = await http.post(base, wanted)
    wanted["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    assert (without.code, (await http.post(base, wanted)).code) == (422, 201)


async def test_the_template_of_a_job_is_immutable(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/batch/v1") + "/jobs"
    spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "lab/echo:1"}]}
    await http.post(base, {"metadata": {"name": "j"}, "spec": {"template": {"spec": spec}}})
    changed = {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}
    reply = await http.patch(f"{base}/j", changed)
    assert (reply.code, "spec.template: Invalid value: " in reply.body["message"]) == (422, True)


@pytest.mark.parametrize("change", [{"data": {"k": "2"}}, {"immutable": False}])
async def test_an_immutable_config_map_stays_as_it_is(http: Http, space: str, change: dict[str, Any]) -> None:
    await http.post(f"{space}/configmaps", {**config_map("a", k="1"), "immutable": True})
    reply = await http.patch(f"{space}/configmaps/a", change)
    (field,) = change
    text = f"{field}: Forbidden: field is immutable when `immutable` is set"
    assert (reply.code, text in reply.body["message"]) == (422, True)


async def test_a_config_maps_keys_follow_a_rule(http: Http, space: str) -> None:
    said = await refused(http, f"{space}/configmaps", config_map("a", **{"a b": "x"}))
    assert 'data[a b]: Invalid value: "a b": a valid config key must consist of' in said


def test_a_config_maps_size_is_limited() -> None:
    (cause,) = kinds.config_map(config_map("a", k="x" * (1024 * 1024 + 1)), None)
    assert cause.message == "Too long: may not be more than 1048576 bytes"


async def test_a_tls_secret_needs_its_keys_and_keeps_its_type(http: Http, space: str) -> None:
    body = {"metadata": {"name": "a"}, "type": "kubernetes.io/tls"}
    lacking = await refused(http, f"{space}/secrets", body)
    await http.post(f"{space}/secrets", {"metadata": {"name": "b"}})
    changed = await http.patch(f"{space}/secrets/b", {"type": "x"})
    assert "data[tls.crt]: Required value, data[tls.key]: Required value" in lacking
    assert 'type: Invalid value: "x": field is immutable' in changed.body["message"]


async def test_the_address_of_a_service_is_kept(http: Http, space: str) -> None:
    spec = {"ports": [{"port": 80}]}
    await http.post(f"{space}/services", {"metadata": {"name": "s"}, "spec": spec})
    reply = await http.patch(f"{space}/services/s", {"spec": {"clusterIP": "10.96.255.254"}})
    text = 'spec.clusterIPs[0]: Invalid value: "10.96.255.254": may not change once set'
    assert (reply.code, text in reply.body["message"]) == (422, True)


CLUSTER = [
    ("storage.k8s.io/v1/StorageClass", "storageclasses", {"provisioner": "b"},
     "provisioner: Forbidden: updates to provisioner are forbidden."),
    ("scheduling.k8s.io/v1/PriorityClass", "priorityclasses", {"value": 7},
     "value: Forbidden: may not be changed in an update."),
    ("node.k8s.io/v1/RuntimeClass", "runtimeclasses", {"handler": "b"},
     'handler: Invalid value: "b": field is immutable'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "plural", "change", "text"), CLUSTER)
async def test_a_classs_defining_field_is_immutable(
    http: Http, kind: str, plural: str, change: dict[str, Any], text: str
) -> None:
    path = f"/apis/{kind.rpartition('/')[0]}/{plural}"
    await http.post(path, STORED[kind])
    reply = await http.patch(f"{path}/a", change)
    assert (reply.code, text in reply.body["message"]) == (422, True)


async def test_a_claim_keeps_its_spec(http: Http, space: str) -> None:
    await http.post(f"{space}/persistentvolumeclaims", STORED["v1/PersistentVolumeClaim"])
    reply = await http.patch(
        f"{space}/persistentvolumeclaims/a", {"spec": {"accessModes": ["ReadWriteMany"]}}
    )
    text = "spec: Forbidden: spec is immutable after creation except resources.requests"
    assert (reply.code, text in reply.body["message"]) == (422, True)


async def test_a_running_pods_spec_is_mostly_immutable(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    reply = await http.patch(f"{space}/pods/p", {"spec": {"restartPolicy": "Never"}})
    text = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"
    assert (reply.code, text in reply.body["message"]) == (422, True)
