"""Which weights a TrafficSplit under failover must have, given which of its backends are ready. Pure.

The rules are those of Linkerd's failover extension: the primary takes everything while it is ready; else the
ready others share alike; nothing is sent anywhere when none is ready. Ready means that an Endpoints object
of the backend's name has an address. So a flat mirror, which has no Endpoints, never takes over
(linkerd2 #11472).
"""

from collections.abc import Collection

from lab.kube.objects import Object, annotations, spec

CONTROLLED_BY = "failover.linkerd.io/controlled-by"
PRIMARY = "failover.linkerd.io/primary-service"


def backends(split: Object) -> list[str]:
    """The names of a split's backends, in its order."""
    return [str(backend.get("service", "")) for backend in spec(split).get("backends") or []]


def primary(split: Object) -> str:
    """The backend that is preferred: the annotated one, else the first; "" if there is none."""
    return annotations(split).get(PRIMARY) or next(iter(backends(split)), "")


def wanted(split: Object, ready: Collection[str]) -> list[Object]:
    """The split's backends with the weights that they must have."""
    first = primary(split)
    chosen = {first} if first in ready else set(ready)
    return [
        {**backend, "weight": int(backend.get("service") in chosen)}
        for backend in spec(split).get("backends") or []
    ]


def target(split: Object, ready: Collection[str]) -> str:
    """Who gets the traffic, in words."""
    names = [str(b.get("service")) for b in wanted(split, ready) if b["weight"]]
    return ", ".join(names) or "nobody: no backend is ready"
