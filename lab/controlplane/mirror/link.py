"""A Link object read into what the mirror works with; all served versions. Pure.

A wrong Link is refused whole, with every problem named, because half a link would mirror the wrong things.
"""

import re
from dataclasses import dataclass

from lab.base.errors import LabError
from lab.kube.objects import Object, meta, name, namespace, spec
from lab.kube.selectors import NOTHING, LabelSelector, SelectorError, from_label_selector

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class LinkError(LabError):
    """A Link that cannot be used."""


@dataclass(frozen=True)
class ProbeSpec:
    """How the remote gateway is probed; `port` 0 means there is nothing to probe. Seconds."""

    path: str = "/ready"
    port: int = 4191
    period: float = 3.0
    timeout: float = 30.0
    failure_threshold: int = 3


@dataclass(frozen=True)
class Link:
    """One link of this cluster towards a target cluster."""

    name: str
    namespace: str
    created: str
    cluster: str
    domain: str
    secret: str
    gateway_addresses: tuple[str, ...]
    gateway_port: int
    gateway_identity: str
    probe: ProbeSpec
    gateway: LabelSelector = NOTHING
    flat: LabelSelector = NOTHING
    federated: LabelSelector = NOTHING
    excluded_labels: tuple[str, ...] = ()
    excluded_annotations: tuple[str, ...] = ()


def link_of(obj: Object) -> Link:
    """The Link that an object describes. Raises LinkError naming every problem."""
    body = spec(obj)
    problems: list[str] = []

    def number(key: str, value: object, default: int) -> int:
        try:
            return int(str(value)) if value not in (None, "") else default
        except ValueError:
            problems.append(f"spec.{key}: {value!r} is not a number")
            return default

    def selector(key: str) -> LabelSelector:
        try:
            # The API's {} selects everything; a Link's selects nothing (linkerd2 #11344).
            return from_label_selector(body[key]) if body.get(key) else NOTHING
        except (SelectorError, KeyError) as error:
            problems.append(f"spec.{key}: {error}")
            return NOTHING

    def seconds(key: str, value: object, default: float) -> float:
        try:
            return duration(str(value)) if value not in (None, "") else default
        except ValueError as error:
            problems.append(f"spec.{key}: {error}")
            return default

    probe = body.get("probeSpec") or {}
    cluster = str(body.get("targetClusterName", ""))
    if not cluster:
        problems.append("spec.targetClusterName is missing")
    link = Link(
        name=name(obj),
        namespace=namespace(obj),
        created=str(meta(obj).get("creationTimestamp", "")),
        cluster=cluster,
        domain=str(body.get("targetClusterDomain") or "cluster.local"),
        secret=str(body.get("clusterCredentialsSecret") or f"cluster-credentials-{cluster}"),
        gateway_addresses=tuple(
            a.strip() for a in str(body.get("gatewayAddress") or "").split(",") if a.strip()
        ),
        gateway_port=number("gatewayPort", body.get("gatewayPort"), 4143),
        gateway_identity=str(body.get("gatewayIdentity") or ""),
        probe=ProbeSpec(
            path=str(probe.get("path") or "/ready"),
            port=number("probeSpec.port", probe.get("port"), 4191),
            period=seconds("probeSpec.period", probe.get("period"), 3.0) or 3.0,
            timeout=seconds("probeSpec.timeout", probe.get("timeout"), 30.0) or 30.0,
            failure_threshold=number("probeSpec.failureThreshold", probe.get("failureThreshold"), 3),
        ),
        gateway=selector("selector"),
        flat=selector("remoteDiscoverySelector"),
        federated=selector("federatedServiceSelector"),
        excluded_labels=tuple(body.get("excludedLabels") or ()),
        excluded_annotations=tuple(body.get("excludedAnnotations") or ()),
    )
    if problems:
        raise LinkError(f"Link {namespace(obj)}/{name(obj)} is wrong: {'; '.join(problems)}")
    return link


def duration(text: str) -> float:
    """Seconds of a Go duration such as `3s`, `1m30s`, `250ms`; a bare number is seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(f"{n}{u}" for n, u in parts) != text:
        raise ValueError(f"{text!r} is not a duration (such as 3s or 1m30s)")
    return sum(float(n) * _SECONDS[u] for n, u in parts)
