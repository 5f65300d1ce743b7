"""What ends a pod from outside its containers: its active deadline, and emptyDir volumes that grew too large.

The pod worker asks before every step and fails the pod with the answer.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.kube.objects import Object
from lab.kube.quantity import quantity
from lab.pocket.node.folder import PodFolder
from lab.pocket.node.lifecycle.status import Failure
from lab.pocket.node.lifecycle.steps import deadline

MEASURE_EVERY = 10.0
"""Seconds between two looks at the sizes of volumes, as upstream's housekeeping."""


def exceeded(pod: Object, folder: PodFolder) -> Failure | None:
    """The limit that the pod is over, if there is one."""
    ends = deadline(pod)
    if ends is not None and ends <= time.time():
        return Failure("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
    for volume, path in _limited(pod, folder):
        limit = volume["emptyDir"]["sizeLimit"]
        if _size(path) > quantity(limit):
            text = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
            return Failure("Evicted", text)
    return None


def next_look(pod: Object, folder: PodFolder) -> float | None:
    """When to ask again, though nothing happens."""
    measured = [time.time() + MEASURE_EVERY] if any(_limited(pod, folder)) else []
    return min([at for at in (deadline(pod), *measured) if at is not None], default=None)


def _limited(pod: Object, folder: PodFolder) -> Iterator[tuple[dict[str, Any], Path]]:
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("emptyDir") or {}).get("sizeLimit"):
            yield volume, folder.places.of(volume)


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
