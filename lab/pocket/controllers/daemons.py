"""Which nodes a DaemonSet should have a pod on, and which pods an update may replace. Pure.

As upstream's daemon controller; the node affinity that ties a pod to its node is for the scheduler to obey.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.kube.objects import Object, is_deleting, labels, name
from lab.pocket.controllers.affinity import is_wanted, tolerates
from lab.pocket.controllers.podstate import created_at, is_available, is_finished, is_ready
from lab.pocket.controllers.revisions import HASH_LABEL
from lab.pocket.controllers.sizes import share
from lab.pocket.controllers.templates import pod_from, random_name

_TOLERATED = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)


@dataclass(frozen=True)
class Plan:
    """Nodes to make pods for and pods to delete; `failed` ones are deleted to be made again."""

    create: tuple[str, ...] = ()
    delete: tuple[Object, ...] = ()
    failed: tuple[Object, ...] = ()


@dataclass(frozen=True)
class View:
    """A DaemonSet with its pods and all nodes, at a moment; `hash` is its present template's."""

    owner: Object
    hash: str
    nodes: Sequence[Object] = field(default_factory=tuple)
    pods: Sequence[Object] = field(default_factory=tuple)
    at: float = 0.0

    def on(self, node: str) -> list[Object]:
        """The pods of a node, bound ones and old ones first."""
        found = (pod for pod in self.pods if node_of(pod) == node)
        return sorted(found, key=lambda p: (not p["spec"].get("nodeName"), created_at(p), name(p)))

    def is_current(self, pod: Object) -> bool:
        return labels(pod).get(HASH_LABEL) == self.hash

    def is_up(self, pod: Object) -> bool:
        return is_available(self.owner, pod, self.at)


def node_of(pod: Object) -> str:
    """Where the pod runs, or is meant to run."""
    if bound := pod["spec"].get("nodeName"):
        return str(bound)
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for wanted in term.get("matchFields") or ():
            if wanted.get("key") == "metadata.name" and len(wanted.get("values") or ()) == 1:
                return str(wanted["values"][0])
    return ""


def fits(daemon_set: Object, node: Object) -> tuple[bool, bool]:
    """Whether a pod of the set should start on the node, and whether one that is there may stay."""
    spec = daemon_set["spec"]["template"]["spec"]
    if spec.get("nodeName") not in (None, "", name(node)) or not is_wanted(spec, node):
        return False, False
    tolerant = {"tolerations": _tolerations(spec)}
    refused = {
        taint.get("effect")
        for taint in (node.get("spec") or {}).get("taints") or ()
        if not tolerates(tolerant, taint)
    }
    return not refused & {"NoSchedule", "NoExecute"}, "NoExecute" not in refused


def plan(view: View) -> Plan:
    """The next writes: first a pod where one belongs and none elsewhere, then the update."""
    if is_deleting(view.owner):
        return Plan()
    create, delete, failed = [], [], []
    known = {name(node) for node in view.nodes}
    delete += [pod for pod in view.pods if node_of(pod) not in known and not is_deleting(pod)]
    for node in view.nodes:
        starts, stays = fits(view.owner, node)
        there = view.on(name(node))
        alive = [pod for pod in there if not is_deleting(pod)]
        if starts and not there:
            create.append(name(node))
        elif not stays:
            delete += alive
        else:
            failed += [pod for pod in alive if is_finished(pod)]
            delete += _spare(view, [pod for pod in alive if not is_finished(pod)])
    if create or delete or failed:
        return Plan(tuple(create), tuple(delete), tuple(failed))
    return _update(view)


def _spare(view: View, running: list[Object]) -> list[Object]:
    """More than one on a node: only a surging update has an old and a new one side by side, for a while."""
    if not limits(view)[0]:
        return running[1:]
    new = [pod for pod in running if view.is_current(pod)]
    old = [pod for pod in running if not view.is_current(pod)]
    replaced = old[:1] if new and old and view.is_up(new[0]) else []
    return [*replaced, *new[1:], *old[1:]]


def limits(view: View) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers; never both zero."""
    strategy = view.owner["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    total = sum(fits(view.owner, node)[0] for node in view.nodes)
    more = share(rolling.get("maxSurge") or 0, total, up=True)
    unavailable = rolling.get("maxUnavailable")
    fewer = share(1 if unavailable is None else unavailable, total, up=True)
    return more, fewer if more or fewer else 1


def _update(view: View) -> Plan:
    surge, unavailable = limits(view)
    at_once: list[Object] = []  # old pods that serve nobody
    candidates: list[Object] = []
    away = 0
    for node in view.nodes:
        there = [pod for pod in view.on(name(node)) if not is_deleting(pod)]
        new = next((pod for pod in there if view.is_current(pod)), None)
        old = next((pod for pod in there if not view.is_current(pod)), None)
        if old is not None and new is None:
            (candidates if view.is_up(old) else at_once).append(old)
        elif surge:
            away += old is not None
        elif fits(view.owner, node)[0] and (new is None or not view.is_up(new)):
            away += 1
    if surge:
        chosen = [*at_once, *candidates[: max(surge - away, 0)]]
        return Plan(create=tuple(node_of(pod) for pod in chosen))
    if not unavailable:
        return Plan()  # OnDelete
    room = max(unavailable - away - len(at_once), 0)
    return Plan(delete=(*at_once, *candidates[:room]))


def pod_of(view: View, node: str) -> Object:
    """A pod tied to its node, that stays there when the node is in trouble."""
    own, generate = random_name(name(view.owner))
    pod = pod_from(view.owner, own, {HASH_LABEL: view.hash})
    pod["metadata"]["generateName"] = generate
    spec = pod["spec"]
    affinity = spec.get("affinity") or {}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    tied = {
        **(affinity.get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
    }
    pod["spec"] = {
        **spec,
        "affinity": {**affinity, "nodeAffinity": tied},
        "tolerations": _tolerations(spec),
    }
    return pod


def _tolerations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    own = list(spec.get("tolerations") or ())
    network = (("network-unavailable", "NoSchedule"),) if spec.get("hostNetwork") else ()
    wanted = [
        {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": effect}
        for trouble, effect in (*_TOLERATED, *network)
    ]
    return own + [each for each in wanted if each not in own]


def status(view: View, collisions: int) -> dict[str, Any]:
    """The counts over all nodes."""
    wanted = [node for node in view.nodes if fits(view.owner, node)[0]]
    others = [node for node in view.nodes if node not in wanted]
    shown = [there[0] for node in wanted if (there := view.on(name(node)))]
    available = sum(view.is_up(pod) for pod in shown)
    return {
        "desiredNumberScheduled": len(wanted),
        "currentNumberScheduled": len(shown),
        "numberMisscheduled": sum(bool(view.on(name(node))) for node in others),
        "numberReady": sum(is_ready(pod) for pod in shown),
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
        "updatedNumberScheduled": sum(view.is_current(pod) for pod in shown),
        "collisionCount": collisions,
        "observedGeneration": view.owner["metadata"].get("generation", 0),
    }
