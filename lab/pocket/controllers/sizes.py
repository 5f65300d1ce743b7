"""The numbers of a Deployment and its ReplicaSets: wanted, seen, allowed; and the annotations that tell them.

Pure. Read by rollout, proportions and progress.
"""

from math import ceil

from lab.kube.objects import Object, annotations, meta, name

REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


def wanted(obj: Object) -> int:
    """`spec.replicas`; 1 where it is absent."""
    number = obj["spec"].get("replicas")
    return 1 if number is None else int(number)


def count(obj: Object, field: str) -> int:
    """A number of the status; 0 where it is absent."""
    return int((obj.get("status") or {}).get(field) or 0)


def revision(obj: Object) -> int:
    return int(annotations(obj).get(REVISION) or 0)


def age(obj: Object) -> tuple[str, str]:
    """A sort key: the oldest first."""
    return str(meta(obj).get("creationTimestamp") or ""), name(obj)


def is_recreated(deployment: Object) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def surge(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers; never both zero."""
    if is_recreated(deployment):
        return 0, wanted(deployment)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    more = share(rolling.get("maxSurge", "25%"), wanted(deployment), up=True)
    fewer = share(rolling.get("maxUnavailable", "25%"), wanted(deployment), up=False)
    return more, min(fewer, wanted(deployment)) if more or fewer else 1


def share(value: int | str, total: int, *, up: bool) -> int:
    """A count, or a percentage of `total` rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * total / 100
        return ceil(exact) if up else int(exact)
    return int(value)


def told_sizes(deployment: Object) -> dict[str, str]:
    """What each ReplicaSet is told of the whole, for the next change of it to be shared out."""
    return {DESIRED: str(wanted(deployment)), MAXIMUM: str(wanted(deployment) + surge(deployment)[0])}
