"""Which pods a StatefulSet should make or delete next, in the order of its ordinals. Pure.

Follows upstream's StatefulSet control: pods come up in order and go in reverse, one at a time unless the
policy is Parallel; an update replaces pods from the highest ordinal down to the partition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lab.kube.objects import Object, is_deleting, labels, name, namespace, owner_reference
from lab.pocket.controllers.claims import is_controlled_by
from lab.pocket.controllers.podstate import is_available, is_finished, is_ready, phase
from lab.pocket.controllers.revisions import HASH_LABEL, with_template
from lab.pocket.controllers.templates import pod_from

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
_ORDINAL = re.compile(r"^(.*)-([0-9]+)$")


@dataclass(frozen=True)
class Revisions:
    """What pods are made from: `current` until a rollout is complete, `update` from then on."""

    current: Object
    update: Object
    collisions: int = 0


@dataclass(frozen=True)
class Plan:
    """Ordinals to make pods for and pods to delete; `failed` are deleted to be made again."""

    create: tuple[int, ...] = ()
    delete: tuple[Object, ...] = ()
    failed: tuple[Object, ...] = ()


@dataclass(frozen=True)
class View:
    """A StatefulSet with its pods, at a moment."""

    owner: Object
    revisions: Revisions
    pods: Sequence[Object] = field(default_factory=tuple)
    at: float = 0.0

    @property
    def ordinals(self) -> range:
        spec = self.owner["spec"]
        start = int((spec.get("ordinals") or {}).get("start") or 0)
        return range(start, start + desired(self.owner))

    @property
    def is_ordered(self) -> bool:
        return bool(self.owner["spec"].get("podManagementPolicy") != "Parallel")

    def is_settled(self, pod: Object) -> bool:
        """Available and staying: the next in order may follow."""
        return not is_deleting(pod) and phase(pod) == "Running" and is_available(self.owner, pod, self.at)


def desired(stateful_set: Object) -> int:
    wanted = stateful_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def ordinal(pod: Object) -> int:
    """The pod's number; -1 for a name without one."""
    found = _ORDINAL.match(name(pod))
    return int(found[2]) if found else -1


def is_member(stateful_set: Object, pod: Object) -> bool:
    """Named as a pod of this set would be: only such pods are adopted."""
    found = _ORDINAL.match(name(pod))
    return is_controlled_by(pod, stateful_set) or bool(found and found[1] == name(stateful_set))


def plan(view: View) -> Plan:
    """The next writes; an empty plan when there is nothing to do until something changes."""
    if is_deleting(view.owner):
        return Plan()
    by_ordinal = {ordinal(pod): pod for pod in view.pods}
    made = _make(view, by_ordinal)
    if made.failed or (view.is_ordered and (made.create or not _all_settled(view, by_ordinal))):
        return made
    condemned = sorted((p for p in view.pods if ordinal(p) not in view.ordinals), key=ordinal, reverse=True)
    if condemned:
        dropped = _condemn(view, condemned)
        if view.is_ordered or dropped:
            return replace(made, delete=dropped)
    return made if made.create else Plan(delete=_update(view, by_ordinal))


def _make(view: View, by_ordinal: dict[int, Object]) -> Plan:
    create, failed = [], []
    for number in view.ordinals:
        pod = by_ordinal.get(number)
        if pod is None:
            create.append(number)
        elif is_finished(pod) and not is_deleting(pod):
            failed.append(pod)
        if view.is_ordered and (pod is None or not view.is_settled(pod)):
            break
    return Plan(create=tuple(create), failed=tuple(failed))


def _all_settled(view: View, by_ordinal: dict[int, Object]) -> bool:
    return all(number in by_ordinal and view.is_settled(by_ordinal[number]) for number in view.ordinals)


def _condemn(view: View, condemned: list[Object]) -> tuple[Object, ...]:
    """From the highest down; in order, one that is not healthy is only deleted when it is the lowest such."""
    if not view.is_ordered:
        return tuple(pod for pod in condemned if not is_deleting(pod))
    first = condemned[0]
    unhealthy = [pod for pod in condemned if not view.is_settled(pod)]
    if is_deleting(first) or (first in unhealthy and first is not unhealthy[-1]):
        return ()
    return (first,)


def _update(view: View, by_ordinal: dict[int, Object]) -> tuple[Object, ...]:
    """The highest pod of an old revision, once all above it are up again."""
    strategy = view.owner["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return ()
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    for number in reversed(view.ordinals):
        pod = by_ordinal.get(number)
        if number < view.ordinals.start + partition or pod is None:
            return ()
        if labels(pod).get(HASH_LABEL) != name(view.revisions.update) and not is_deleting(pod):
            return (pod,)
        if not view.is_settled(pod):
            return ()
    return ()


def pod_of(view: View, number: int) -> Object:
    """The pod of an ordinal, of the revision due there, with the names and claims it keeps for life."""
    revision = _revision_for(view, number)
    owner = with_template(view.owner, revision)
    own = f"{name(owner)}-{number}"
    pod = pod_from(owner, own, {POD_NAME: own, POD_INDEX: str(number), HASH_LABEL: name(revision)})
    claims = [t["metadata"]["name"] for t in owner["spec"].get("volumeClaimTemplates") or ()]
    kept = [v for v in pod["spec"].get("volumes") or () if v["name"] not in claims]
    mine = [{"name": c, "persistentVolumeClaim": {"claimName": f"{c}-{own}"}} for c in claims]
    pod["spec"] = {**pod["spec"], "hostname": own, **({"volumes": [*mine, *kept]} if claims else {})}
    if owner["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = owner["spec"]["serviceName"]
    return pod


def claims_of(stateful_set: Object, pod_name: str) -> list[Object]:
    """The PersistentVolumeClaims of one pod, from the set's templates."""
    retention = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    owners = [owner_reference(stateful_set)] if retention.get("whenDeleted") == "Delete" else []
    selected = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                **template["metadata"],
                "name": f"{template['metadata']['name']}-{pod_name}",
                "namespace": namespace(stateful_set),
                "labels": {**labels(template), **selected},
                **({"ownerReferences": owners} if owners else {}),
            },
            "spec": template["spec"],
        }
        for template in stateful_set["spec"].get("volumeClaimTemplates") or ()
    ]


def abandoned(view: View, deleted: Sequence[Object]) -> list[Object]:
    """Those of the deleted pods whose claims go with them: the set has been scaled down for good."""
    retention = view.owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if retention.get("whenScaled") != "Delete":
        return []
    return [pod for pod in deleted if ordinal(pod) not in view.ordinals]


def _revision_for(view: View, number: int) -> Object:
    """While a rollout is under way, ordinals that it has not reached are still made of the old template."""
    strategy = view.owner["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return view.revisions.update
    rolling = strategy.get("rollingUpdate")
    if rolling is None or rolling.get("partition") is None:
        limit = view.ordinals.start + int((view.owner.get("status") or {}).get("currentReplicas") or 0)
    else:
        limit = view.ordinals.start + int(rolling["partition"])
    return view.revisions.current if number < limit else view.revisions.update


def status(view: View) -> dict[str, Any]:
    """The counts; a finished rollout makes the update revision the current one."""
    current, update = name(view.revisions.current), name(view.revisions.update)
    staying = [labels(pod).get(HASH_LABEL) for pod in view.pods if not is_deleting(pod)]
    counts: dict[str, Any] = {
        "replicas": len(view.pods),
        "readyReplicas": sum(phase(pod) == "Running" and is_ready(pod) for pod in view.pods),
        "availableReplicas": sum(
            phase(pod) == "Running" and is_available(view.owner, pod, view.at) for pod in view.pods
        ),
        "currentReplicas": staying.count(current),
        "updatedReplicas": staying.count(update),
    }
    rolling = (view.owner["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"
    wanted = desired(view.owner)
    if rolling and counts["updatedReplicas"] == counts["replicas"] == counts["readyReplicas"] == wanted:
        current, counts["currentReplicas"] = update, counts["updatedReplicas"]
    return {
        **counts,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": view.revisions.collisions,
        "observedGeneration": view.owner["metadata"].get("generation", 0),
    }
