"""Kinds that are stored and not acted on: served as upstream serves them, with a warning."""

from typing import Any

import pytest

from lab.pocket.apiserver.resources.builtin import table
from lab.pocket.apiserver.resources.model import Resource

from .conftest import Http, Server, pod
from .stored_manifests import manifests

MANIFESTS = manifests()
STORED = {known: row for row in table() if (known := f"{row.api_version}/{row.kind}") in MANIFESTS}
IDLE = [known for known, row in STORED.items() if row.idle]
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def collection(row: Resource, space: str) -> str:
    root = f"/apis/{row.api_version}" if row.group else f"/api/{row.api_version}"
    return f"{root}/{f'{namespace_part(space)}/' if row.namespaced else ''}{row.plural}"


def namespace_part(space: str) -> str:
    return f"namespaces/{space.rpartition('/')[2]}"


async def create(http: Http, space: str, kind: str, **more: Any) -> Any:
    path = collection(STORED[kind], space)
    manifest = {**MANIFESTS[kind], **more}
    await http.delete(f"{path}/{manifest['metadata']['name']}")
    reply = await http.post(f"{path}?fieldValidation=Strict", manifest)
    assert reply.code == 201, reply.body
    return reply


def test_every_stored_kind_has_a_manifest_here() -> None:
    assert {f"{row.api_version}/{row.kind}" for row in table() if row.idle} == set(IDLE)


@pytest.mark.parametrize("kind", IDLE)
async def test_a_write_of_a_stored_kind_warns_that_nothing_follows(http: Http, space: str, kind: str) -> None:
    row = STORED[kind]
    made = await create(http, space, kind)
    path = f"{collection(row, space)}/{made.body['metadata']['name']}"
    changed = await http.patch(path, {"metadata": {"labels": {"x": "y"}}})
    gone = await http.delete(path)
    expected = f'299 - "{row.kind} is stored, not acted on: {row.idle}"'
    assert [reply.headers.get("Warning") for reply in (made, changed, gone)] == [expected] * 3


@pytest.mark.parametrize("kind", MANIFESTS)
async def test_a_stored_kind_is_listed_and_reads_back_what_was_written(
    http: Http, space: str, kind: str
) -> None:
    made = (await create(http, space, kind)).body
    listed = (await http.get(collection(STORED[kind], space))).body
    (found,) = [item for item in listed["items"] if item["metadata"]["name"] == made["metadata"]["name"]]
    assert (listed["kind"], found["metadata"]["uid"]) == (
        f"{STORED[kind].kind}List",
        made["metadata"]["uid"],
    )


async def test_reading_a_stored_kind_warns_of_nothing(http: Http, space: str) -> None:
    await create(http, space, "batch/v1/CronJob")
    reply = await http.get(f"{collection(STORED['batch/v1/CronJob'], space)}/a")
    assert "Warning" not in reply.headers


async def test_a_kind_the_lab_acts_on_warns_of_nothing(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1")
    body = {"metadata": {"name": "r"}, "revision": 1, "data": {"spec": {}}}
    reply = await http.post(f"{base}/controllerrevisions", body)
    assert (reply.code, "Warning" in reply.headers) == (201, False)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("batch/v1/CronJob", "spec.concurrencyPolicy", "Allow"),
        ("batch/v1/CronJob", "spec.failedJobsHistoryLimit", 1),
        ("networking.k8s.io/v1/NetworkPolicy", "spec.policyTypes", ["Ingress", "Egress"]),
        ("autoscaling/v2/HorizontalPodAutoscaler", "spec.minReplicas", 1),
        ("v1/PersistentVolumeClaim", "status.phase", "Pending"),
        ("v1/PersistentVolume", "spec.persistentVolumeReclaimPolicy", "Retain"),
        ("storage.k8s.io/v1/StorageClass", "volumeBindingMode", "Immediate"),
        ("scheduling.k8s.io/v1/PriorityClass", "preemptionPolicy", "PreemptLowerPriority"),
        ("v1/ReplicationController", "spec.selector", {"app": "a"}),
        ("policy/v1/PodDisruptionBudget", "status.disruptionsAllowed", 0),
        ("apiregistration.k8s.io/v1/APIService", "spec.service.port", 443),
    ],
)
async def test_upstreams_defaults_are_filled_in(
    http: Http, space: str, kind: str, path: str, value: Any
) -> None:
    found = (await create(http, space, kind)).body
    for step in path.split("."):
        found = found[step]
    assert found == value


COLUMNS = {
    "v1/LimitRange": "NAME CREATED_AT",
    "v1/PersistentVolume": "NAME CAPACITY ACCESS_MODES RECLAIM_POLICY STATUS CLAIM STORAGECLASS "
    "VOLUMEATTRIBUTESCLASS REASON AGE VOLUMEMODE",
    "v1/PersistentVolumeClaim": "NAME STATUS VOLUME CAPACITY ACCESS_MODES STORAGECLASS "
    "VOLUMEATTRIBUTESCLASS AGE VOLUMEMODE",
    "v1/PodTemplate": "NAME CONTAINERS IMAGES POD_LABELS",
    "v1/ReplicationController": "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR",
    "v1/ResourceQuota": "NAME REQUEST LIMIT AGE",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": "NAME VALIDATIONS PARAMKIND AGE",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": "NAME POLICYNAME PARAMREF AGE",
    "apiregistration.k8s.io/v1/APIService": "NAME SERVICE AVAILABLE AGE",
    "autoscaling/v2/HorizontalPodAutoscaler": "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE",
    "batch/v1/CronJob": "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST_SCHEDULE AGE CONTAINERS IMAGES SELECTOR",
    "certificates.k8s.io/v1/CertificateSigningRequest": "NAME AGE SIGNERNAME REQUESTOR REQUESTEDDURATION "
    "CONDITION",
    "flowcontrol.apiserver.k8s.io/v1/FlowSchema": "NAME PRIORITYLEVEL MATCHINGPRECEDENCE DISTINGUISHERMETHOD "
    "AGE MISSINGPL",
    "flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration": "NAME TYPE NOMINALCONCURRENCYSHARES QUEUES "
    "HANDSIZE QUEUELENGTHLIMIT AGE",
    "networking.k8s.io/v1/Ingress": "NAME CLASS HOSTS ADDRESS PORTS AGE",
    "networking.k8s.io/v1/IngressClass": "NAME CONTROLLER PARAMETERS AGE",
    "networking.k8s.io/v1/NetworkPolicy": "NAME POD-SELECTOR AGE",
    "node.k8s.io/v1/RuntimeClass": "NAME HANDLER AGE",
    "policy/v1/PodDisruptionBudget": "NAME MIN_AVAILABLE MAX_UNAVAILABLE ALLOWED_DISRUPTIONS AGE",
    "scheduling.k8s.io/v1/PriorityClass": "NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY",
    "storage.k8s.io/v1/StorageClass": "NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE "
    "ALLOWVOLUMEEXPANSION AGE",
}


@pytest.mark.parametrize("kind", COLUMNS)
async def test_a_table_has_upstreams_columns(http: Http, space: str, kind: str) -> None:
    found = (await http.get(collection(STORED[kind], space), headers=TABLE)).body
    names = [column["name"].upper().replace(" ", "_") for column in found["columnDefinitions"]]
    assert names == COLUMNS[kind].split()


CELLS = {
    "v1/PersistentVolume": ["a", "1Gi", "RWO,ROX", "Retain", "Pending", "", "", "<unset>", "", "Filesystem"],
    "autoscaling/v2/HorizontalPodAutoscaler": ["a", "Deployment/web", "cpu: <unknown>/80%", "1", 3, 0],
    "batch/v1/CronJob": [
        "a", "*/5 * * * *", "<none>", "False", 0, "<none>", "main", "lab/echo:1", "<none>",
    ],
    "certificates.k8s.io/v1/CertificateSigningRequest": [
        "a", "example.com/x", "kubernetes-admin", "60m", "Pending",
    ],
    "networking.k8s.io/v1/Ingress": ["a", "nginx", "a.example.com", "", "80"],
    "networking.k8s.io/v1/IngressClass": ["a", "example.com/x", "Settings.example.com/s"],
    "networking.k8s.io/v1/NetworkPolicy": ["a", "app=a"],
    "policy/v1/PodDisruptionBudget": ["a", "50%", "N/A", 0],
    "storage.k8s.io/v1/StorageClass": ["a (default)", "example.com/x", "Delete", "Immediate", False],
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": ["a", "x", "*/p"],
}  # fmt: skip


@pytest.mark.parametrize("kind", CELLS)
async def test_a_table_has_upstreams_cells(http: Http, space: str, kind: str) -> None:
    await create(http, space, kind)
    found = (await http.get(f"{collection(STORED[kind], space)}/a", headers=TABLE)).body
    aged = [i for i, column in enumerate(found["columnDefinitions"]) if column["name"] == "Age"]
    cells = [cell for i, cell in enumerate(found["rows"][0]["cells"]) if i not in aged]
    assert cells == CELLS[kind]


async def test_an_autoscaler_reads_the_same_in_both_versions(http: Http, space: str) -> None:
    one, two = (STORED[f"autoscaling/{v}/HorizontalPodAutoscaler"] for v in ("v1", "v2"))
    await create(http, space, "autoscaling/v1/HorizontalPodAutoscaler")
    new = (await http.get(f"{collection(two, space)}/a")).body
    old = (await http.get(f"{collection(one, space)}/a")).body
    target = new["spec"]["metrics"][0]["resource"]["target"]
    assert (new["apiVersion"], target["averageUtilization"]) == ("autoscaling/v2", 60)
    assert (old["apiVersion"], old["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 60)


async def test_what_autoscaling_v1_cannot_say_survives_an_update_through_it(http: Http, space: str) -> None:
    one, two = (STORED[f"autoscaling/{v}/HorizontalPodAutoscaler"] for v in ("v1", "v2"))
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue"}}}
    spec = {**MANIFESTS["autoscaling/v2/HorizontalPodAutoscaler"]["spec"], "metrics": [memory]}
    await create(http, space, "autoscaling/v2/HorizontalPodAutoscaler", spec=spec)
    await http.patch(f"{collection(one, space)}/a", {"spec": {"maxReplicas": 7}})
    found = (await http.get(f"{collection(two, space)}/a")).body
    assert (found["spec"]["metrics"], found["spec"]["maxReplicas"]) == ([memory], 7)
    assert "annotations" not in found["metadata"]


async def test_an_eviction_succeeds_and_tells_which_budget_it_passed_over(http: Http, space: str) -> None:
    await create(http, space, "policy/v1/PodDisruptionBudget")
    await http.post(f"{space}/pods", pod("a"))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    reply = await http.post(f"{space}/pods/a/eviction", eviction)
    assert (reply.code, (await http.get(f"{space}/pods/a")).code) == (201, 404)
    assert "PodDisruptionBudget a is stored" in reply.headers["Warning"]


def test_kubectl_shows_the_warning_and_finds_the_short_name(server: Server, space: str) -> None:
    ns = space.rpartition("/")[2]
    words = ("create", "pdb", "web", "-n", ns, "--selector=app=web", "--min-available=1")
    said = server.kubectl_err(*words)
    listed = server.kubectl("get", "pdb", "-n", ns, "--no-headers").split()
    expected = "Warning: PodDisruptionBudget is stored, not acted on: evictions succeed whatever it says"
    assert (said.strip(), listed[:4]) == (expected, ["web", "1", "N/A", "0"])


async def test_a_certificate_request_is_approved_and_stays_unsigned(
    http: Http, server: Server, space: str
) -> None:
    await create(http, space, "certificates.k8s.io/v1/CertificateSigningRequest")
    server.kubectl("certificate", "approve", "a")
    found = server.kubectl("get", "csr", "a", "--no-headers").split()
    assert found[-1] == "Approved"
