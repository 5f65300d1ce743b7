"""The ReplicaSet of a Deployment's present template: which one it is, or what it would be. Pure."""

from collections.abc import Sequence
from typing import Any

from lab.kube.objects import Object, annotations, labels, name, namespace, owner_reference
from lab.pocket.controllers.sizes import DESIRED, MAXIMUM, REVISION, age, revision, told_sizes
from lab.pocket.controllers.templates import template_hash

HASH_LABEL = "pod-template-hash"
HISTORY = "deployment.kubernetes.io/revision-history"
NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
)


def current(deployment: Object, replica_sets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet whose template is the Deployment's."""
    wanted = _template(deployment)
    return next((r for r in sorted(replica_sets, key=age) if _template(r) == wanted), None)


def replica_set(deployment: Object, others: Sequence[Object], count: int) -> Object:
    """The ReplicaSet for the present template, under its hash."""
    template = deployment["spec"]["template"]
    suffix = template_hash(template, (deployment.get("status") or {}).get("collisionCount") or 0)
    template_labels = {**labels(template), HASH_LABEL: suffix}
    selector = deployment["spec"]["selector"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(deployment)}-{suffix}",
            "namespace": namespace(deployment),
            "labels": template_labels,
            "annotations": {
                **_copied(deployment),
                REVISION: str(max((revision(r) for r in others), default=0) + 1),
                **told_sizes(deployment),
            },
            "ownerReferences": [
                owner_reference({"apiVersion": "apps/v1", "kind": "Deployment", **deployment})
            ],
        },
        "spec": {
            "replicas": count,
            "minReadySeconds": deployment["spec"].get("minReadySeconds") or 0,
            "selector": {
                **selector,
                "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: suffix},
            },
            "template": {
                **template,
                "metadata": {**(template.get("metadata") or {}), "labels": template_labels},
            },
        },
    }


def revised(deployment: Object, new: Object, replica_sets: Sequence[Object]) -> dict[str, Any]:
    """The merge patch that makes an existing ReplicaSet the newest revision; {} when it is that already."""
    notes = _copied(deployment)
    highest = max((revision(r) for r in replica_sets if r is not new), default=0)
    if revision(new) <= highest:
        notes[REVISION] = str(highest + 1)
        if revision(new):
            former = annotations(new).get(HISTORY)
            notes[HISTORY] = f"{former},{revision(new)}" if former else str(revision(new))
    changed = {k: v for k, v in notes.items() if annotations(new).get(k) != v}
    patch: dict[str, Any] = {"metadata": {"annotations": changed}} if changed else {}
    seconds = deployment["spec"].get("minReadySeconds") or 0
    if (new["spec"].get("minReadySeconds") or 0) != seconds:
        patch["spec"] = {"minReadySeconds": seconds}
    return patch


def _copied(deployment: Object) -> dict[str, str]:
    return {k: v for k, v in annotations(deployment).items() if k not in NOT_COPIED}


def _template(obj: Object) -> dict[str, Any]:
    template = obj["spec"]["template"]
    head = dict(template.get("metadata") or {})
    head["labels"] = {k: v for k, v in (head.get("labels") or {}).items() if k != HASH_LABEL}
    head.pop("creationTimestamp", None)
    return {"metadata": {k: v for k, v in head.items() if v}, "spec": template["spec"]}
