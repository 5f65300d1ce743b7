"""Objects of the lab's own API group for faults: which of them are about a pod, and what they ask. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from lab.kube.objects import Object, labels, name, spec
from lab.kube.selectors import from_label_selector

NOTHING = timedelta(0)


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a pod's certificate on purpose; nothing by default.

    Either one of PROBLEMS of `lab.topology.fault_words`, or signed by a clock that is `skew` ahead.
    """

    problem: str = ""
    skew: timedelta = NOTHING


NO_FLAW = Flaw()


def faults_on(pod: Object, objects: Iterable[Object], kind: str) -> list[Object]:
    """The faults of a kind, all of the pod's namespace, that select it; the youngest last."""
    mine = [obj for obj in objects if obj["kind"] == kind and _selects(obj, pod)]
    return sorted(mine, key=lambda one: (str(one["metadata"].get("creationTimestamp")), name(one)))


def flaw_of(pod: Object, objects: Iterable[Object]) -> Flaw:
    """What CertificateFaults ask for a pod; the youngest one's word holds."""
    mine = faults_on(pod, objects, "CertificateFault")
    if not mine:
        return NO_FLAW
    asked = spec(mine[-1])
    return Flaw(asked.get("problem", ""), timedelta(seconds=asked.get("clockSkewSeconds", 0)))


def cut_by(objects: Iterable[Object]) -> str:
    """The CertificateFaults for which connections are to be made anew, as one word that changes with them."""
    cutting = (o for o in objects if o["kind"] == "CertificateFault" and spec(o).get("cutConnections"))
    return ",".join(sorted(map(name, cutting)))


def _selects(fault: Object, pod: Object) -> bool:
    return from_label_selector(spec(fault).get("podSelector") or {}).matches(labels(pod))
