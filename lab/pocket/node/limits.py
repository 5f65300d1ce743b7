"""What ends a pod from outside its containers: its active deadline, and emptyDir volumes that grew too large.

The pod worker asks before every step and fails the pod with the answer.
"""

import os
import time
from pathlib import Path
from typing import Any

from lab.kube.objects import Object
from lab.kube.quantity import quantity
from lab.pocket.node.folder import PodFolder
from lab.pocket.node.lifecycle.status import Failure
from lab.pocket.node.lifecycle.steps import deadline

MEASURE_EVERY = 10.0
"""Seconds between two looks at the sizes of volumes, as upstream's housekeeping."""


class Limits:
    """The limits of one pod; volumes are measured now and then, not at every question."""

    def __init__(self, folder: PodFolder) -> None:
        self._folder, self._measure_at = folder, 0.0

    def exceeded(self, pod: Object) -> Failure | None:
        """The limit that the pod is over, if there is one."""
        ends, now = deadline(pod), time.time()
        if ends is not None and ends <= now:
            return Failure(
                "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
            )
        if now < self._measure_at:
            return None
        self._measure_at = now + MEASURE_EVERY
        for volume in _limited(pod):
            limit = volume["emptyDir"]["sizeLimit"]
            if _size(self._folder.places.of(volume)) > quantity(limit):
                text = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
                return Failure("Evicted", text)
        return None

    def next_look(self, pod: Object) -> float | None:
        """When to ask again, though nothing happens."""
        measured = [self._measure_at] if _limited(pod) else []
        return min([at for at in (deadline(pod), *measured) if at is not None], default=None)


def _limited(pod: Object) -> list[dict[str, Any]]:
    return [v for v in pod["spec"].get("volumes") or () if (v.get("emptyDir") or {}).get("sizeLimit")]


def _size(path: Path) -> int:
    """Bytes that the files below take up; what vanishes meanwhile counts for nothing."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
