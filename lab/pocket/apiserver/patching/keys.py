"""Merge keys of the lists in built-in kinds: what makes two items the same one.

Hand-written for the served kinds; strategic merge patch, server-side apply and the published OpenAPI
schemas all read it. A list that is not here is replaced as a whole. Pure data.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ListRule:
    """`patch` is the strategic-merge key ("" = set of scalars), `keys` those of server-side apply."""

    patch: str
    keys: tuple[str, ...] = ()


def _rule(patch: str, *keys: str) -> ListRule:
    return ListRule(patch, keys or ((patch,) if patch else ()))


# (parent field or "", field) -> rule; the parent tells fields of one name apart (Service, container ports).
RULES: Mapping[tuple[str, str], ListRule] = {
    ("", "containers"): _rule("name"),
    ("", "initContainers"): _rule("name"),
    ("", "ephemeralContainers"): _rule("name"),
    ("", "volumes"): _rule("name"),
    ("", "env"): _rule("name"),
    ("", "volumeMounts"): _rule("mountPath"),
    ("", "volumeDevices"): _rule("devicePath"),
    ("", "imagePullSecrets"): _rule("name"),
    ("", "hostAliases"): _rule("ip"),
    ("", "topologySpreadConstraints"): _rule("topologyKey", "topologyKey", "whenUnsatisfiable"),
    ("", "conditions"): _rule("type"),
    ("", "ownerReferences"): _rule("uid"),
    ("", "finalizers"): _rule(""),
    ("", "podIPs"): _rule("ip"),
    ("", "hostIPs"): _rule("ip"),
    ("", "addresses"): _rule("type"),
    ("", "webhooks"): _rule("name"),
    ("", "resourceClaims"): _rule("name"),
    ("", "schedulingGates"): _rule("name"),
    ("containers", "ports"): _rule("containerPort", "containerPort", "protocol"),
    ("initContainers", "ports"): _rule("containerPort", "containerPort", "protocol"),
    ("spec", "ports"): _rule("port", "port", "protocol"),
    ("serviceaccount", "secrets"): _rule("name"),
    ("spec", "taints"): _rule("key"),
}

# Maps and objects that have one owner as a whole.
ATOMIC = frozenset(
    ("selector", "nodeSelector", "roleRef", "fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef",
     "involvedObject", "targetRef", "labelSelector", "namespaceSelector", "objectSelector")
)  # fmt: skip


def rule_for(parent: str, field: str) -> ListRule | None:
    return RULES.get((parent, field)) or RULES.get(("", field))
