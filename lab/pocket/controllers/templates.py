"""From the pod template of a workload to a pod, and to the short hash that names a template. Pure."""

import json
import random
import zlib
from collections.abc import Mapping
from typing import Any

from lab.kube.objects import Object, labels, namespace, owner_reference

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def pod_from(owner: Object, name: str, more_labels: Mapping[str, str] | None = None) -> Object:
    """A pod of the owner's template, controlled by it."""
    template = owner["spec"]["template"]
    meta = template.get("metadata") or {}
    own: dict[str, Any] = {
        "name": name,
        "namespace": namespace(owner),
        "labels": {**labels(template), **(more_labels or {})},
        "ownerReferences": [owner_reference(owner)],
    }
    for field in ("annotations", "finalizers"):
        if meta.get(field):
            own[field] = meta[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": template["spec"]}


def random_name(base: str) -> tuple[str, str]:
    """(name, generateName) of one more pod of `base`."""
    return f"{base[:57]}-{''.join(random.choices(ALPHABET, k=5))}", f"{base}-"


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """A short word for a template, of upstream's alphabet and length."""
    text = json.dumps([template, collisions], sort_keys=True, separators=(",", ":"))
    return "".join(ALPHABET[int(digit) % len(ALPHABET)] for digit in str(zlib.crc32(text.encode())))
