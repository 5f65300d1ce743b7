"""Values that a pod may ask about itself: the downward API's field and resource references.

Pure. Used for environment variables and for downwardAPI volumes.
"""

import os
import re
from decimal import ROUND_CEILING
from typing import Any

from lab.base.errors import LabError
from lab.kube.objects import Object
from lab.kube.quantity import quantity

_KEYED = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class BadReference(LabError):
    """A pod refers to something that is not there; the text names it. Tried again when it appears."""


def field_value(pod: Object, path: str) -> str:
    """The text of a fieldRef. Raises BadReference for a path that the downward API does not have."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    if keyed := _KEYED.match(path):
        return str((meta.get(keyed[1]) or {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = meta.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(pairs.items()))
    values: dict[str, Any] = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": ",".join(h["ip"] for h in status.get("hostIPs") or ()),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": ",".join(p["ip"] for p in status.get("podIPs") or ()),
    }
    if path not in values:
        raise BadReference(f"fieldRef {path!r} is not supported; one of {', '.join(sorted(values))}")
    return str(values[path])


def resource_value(container: dict[str, Any], reference: dict[str, Any]) -> str:
    """The number of a resourceFieldRef, divided and rounded up; an absent limit is the machine's."""
    resource = str(reference["resource"])
    kind, _, name = resource.partition(".")
    resources = container.get("resources") or {}
    found = (resources.get(kind) or {}).get(name)
    if found is None and kind == "limits":
        found = machine().get(name)
    divisor = quantity(reference.get("divisor") or "1") or quantity("1")
    return str((quantity(found or 0) / divisor).to_integral_value(ROUND_CEILING))


def machine() -> dict[str, str]:
    """What this machine has, as node capacity."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    return {"cpu": str(os.cpu_count() or 1), "memory": f"{memory}Ki", "ephemeral-storage": "0", "pods": "250"}


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
