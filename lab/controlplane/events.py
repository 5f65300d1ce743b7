"""Kubernetes Events that the mesh's programs write about objects of theirs or of a remote cluster."""

import secrets

from lab.base.log import get_logger
from lab.kube.client import Client
from lab.kube.errors import ApiError
from lab.kube.kinds import EVENTS
from lab.kube.objects import Object, meta, name, namespace, now

log = get_logger(__name__)


def event(about: Object, component: str, reason: str, message: str, *, kind: str = "Normal") -> Object:
    """An Event object; `kind` is Normal or Warning."""
    place = namespace(about) or "default"
    involved = {
        "apiVersion": about.get("apiVersion", "v1"),
        "kind": about.get("kind", ""),
        "name": name(about),
        "namespace": namespace(about),
        "uid": meta(about).get("uid", ""),
        "resourceVersion": meta(about).get("resourceVersion", ""),
    }
    time = now()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name(about)}.{secrets.token_hex(8)}", "namespace": place},
        "involvedObject": {key: value for key, value in involved.items() if value},
        "reason": reason,
        "message": message,
        "type": kind,
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


async def record(client: Client, wanted: Object) -> None:
    """Write the Event; a refusal is logged, because what it tells about must go on."""
    try:
        await client.create(EVENTS, wanted, namespace(wanted))
    except ApiError as error:
        log.warning(
            "event not recorded", reason=wanted["reason"], object=wanted["involvedObject"], error=error
        )
