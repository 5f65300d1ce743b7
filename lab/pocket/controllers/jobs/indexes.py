"""Completion indexes of Indexed Jobs: on pods, and in the short text form of a Job's status. Pure."""

from collections.abc import Iterable

from lab.kube.objects import Object, annotations

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"


def is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def index_of(pod: Object) -> int:
    """The pod's index; -1 when it has none."""
    text = annotations(pod).get(INDEX, "")
    return int(text) if text.isdigit() else -1


def failures_before(pod: Object) -> int:
    """How many pods of this index had failed when this one was made."""
    text = annotations(pod).get(FAILURES, "")
    return int(text) if text.isdigit() else 0


def parse(text: str) -> frozenset[int]:
    """`1,3-5` as a set."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def shown(indexes: Iterable[int]) -> str:
    """A set as `1,3-5`."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
