"""Tables of the kinds that the lab acts on: upstream's columns, and the cells that are worked out."""

from typing import Any

import pytest

from lab.pocket.apiserver.resources.builtin import table
from lab.pocket.apiserver.tables.cells import human_duration
from lab.pocket.apiserver.tables.render import columns, row

WIDE = " | "  # what stands behind it shows with -o wide
COLUMNS = {
    "v1/ConfigMap": "Name Data Age",
    "v1/Endpoints": "Name Endpoints Age",
    "v1/Event": "Last_Seen Type Reason Object Message | Subobject Source First_Seen Count Name",
    "v1/Namespace": "Name Status Age",
    "v1/Node": "Name Status Roles Age Version | Internal-IP External-IP OS-Image Kernel-Version "
    "Container-Runtime",
    "v1/Pod": "Name Ready Status Restarts Age | IP Node Nominated_Node Readiness_Gates",
    "v1/PersistentVolumeClaim": "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass "
    "Age | VolumeMode",
    "v1/Secret": "Name Type Data Age",
    "v1/Service": "Name Type Cluster-IP External-IP Port(s) Age | Selector",
    "v1/ServiceAccount": "Name Secrets Age",
    "apps/v1/ControllerRevision": "Name Controller Revision Age",
    "apps/v1/DaemonSet": "Name Desired Current Ready Up-to-date Available Node_Selector Age | Containers "
    "Images Selector",
    "apps/v1/Deployment": "Name Ready Up-to-date Available Age | Containers Images Selector",
    "apps/v1/ReplicaSet": "Name Desired Current Ready Age | Containers Images Selector",
    "apps/v1/StatefulSet": "Name Ready Age | Containers Images",
    "batch/v1/Job": "Name Status Completions Duration Age | Containers Images Selector",
    "coordination.k8s.io/v1/Lease": "Name Holder Age",
    "discovery.k8s.io/v1/EndpointSlice": "Name AddressType Ports Endpoints Age",
    "events.k8s.io/v1/Event": "Last_Seen Type Reason Object Message | Subobject Source First_Seen Count Name",
    "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration": "Name Webhooks Age",
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration": "Name Webhooks Age",
    "apiextensions.k8s.io/v1/CustomResourceDefinition": "Name Created_At",
    "rbac.authorization.k8s.io/v1/Role": "Name Created_At",
    "rbac.authorization.k8s.io/v1/ClusterRole": "Name Created_At",
    "rbac.authorization.k8s.io/v1/RoleBinding": "Name Role Age | Users Groups ServiceAccounts",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": "Name Role Age | Users Groups ServiceAccounts",
}
ROWS = {f"{one.api_version}/{one.kind}": one for one in table() if not one.idle and "get" in one.verbs}


def test_every_kind_that_can_be_listed_has_its_columns_here() -> None:
    assert ROWS.keys() == COLUMNS.keys()


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_columns_are_upstreams(kind: str) -> None:
    found = columns(ROWS[kind])
    plain, wide = ([c.name.replace(" ", "_") for c in found if c.wide == flag] for flag in (False, True))
    assert (" ".join(plain) + (WIDE + " ".join(wide) if wide else "")) == COLUMNS[kind]


def cells(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    obj = {**obj, "metadata": {"name": "a", **obj.get("metadata", {})}}
    names = [column.name for column in columns(ROWS[kind])]
    return dict(zip(names, row(ROWS[kind], obj, "None")["cells"], strict=True))


def test_an_event_counts_its_series_and_names_its_source() -> None:
    found = cells(
        "v1/Event",
        {
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{main}"},
            "series": {"count": 7},
            "source": {"component": "kubelet", "host": "n"},
            "message": " up \n",
        },
    )
    names = ("Object", "Subobject", "Source", "Message", "Count")
    assert [found[name] for name in names] == ["pod/p", "spec.containers{main}", "kubelet, n", "up", 7]


def test_an_event_of_the_new_group_reads_like_the_old_one() -> None:
    obj = {"regarding": {"kind": "Pod", "name": "p"}, "note": "up", "reportingController": "x"}
    found = cells("events.k8s.io/v1/Event", obj)
    assert [found[name] for name in ("Object", "Message", "Source")] == ["pod/p", "up", "x"]


def test_a_binding_sorts_its_subjects_by_kind() -> None:
    subjects = [
        {"kind": "User", "name": "ann"},
        {"kind": "Group", "name": "crew"},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "shop"},
        {"kind": "User", "name": "joe"},
    ]
    found = cells(
        "rbac.authorization.k8s.io/v1/RoleBinding",
        {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects},
    )
    names = ("Role", "Users", "Groups", "ServiceAccounts")
    assert [found[name] for name in names] == ["ClusterRole/view", "ann, joe", "crew", "shop/bot"]


@pytest.mark.parametrize(
    ("spec", "status", "completions"),
    [
        ({"completions": 3}, {"succeeded": 1}, "1/3"),
        ({"parallelism": 2}, {"succeeded": 1}, "1/1 of 2"),
        ({}, {}, "0/1"),
    ],
)
def test_a_job_tells_how_far_it_is(spec: dict[str, Any], status: dict[str, Any], completions: str) -> None:
    assert cells("batch/v1/Job", {"spec": spec, "status": status})["Completions"] == completions


def test_a_pod_counts_its_open_readiness_gates() -> None:
    gates = [{"conditionType": name} for name in ("a", "b")]
    status = {"conditions": [{"type": "a", "status": "True"}, {"type": "b", "status": "False"}]}
    found = cells("v1/Pod", {"spec": {"readinessGates": gates}, "status": status})
    assert found["Readiness Gates"] == "1/2"


def test_a_revision_names_its_controller() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True}
    found = cells("apps/v1/ControllerRevision", {"metadata": {"ownerReferences": [owner]}, "revision": 2})
    assert (found["Controller"], found["Revision"]) == ("statefulset.apps/db", 2)


DURATIONS = [
    (1, "1s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (600, "10m"), (10799, "179m"), (10800, "3h"),
    (3 * 3600 + 120, "3h2m"), (9 * 3600, "9h"), (50 * 3600, "2d2h"), (9 * 86400, "9d"),
    (800 * 86400, "2y70d"),
]  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), DURATIONS)
def test_an_age_is_written_as_kubectl_does(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text
