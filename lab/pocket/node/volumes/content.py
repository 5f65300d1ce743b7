"""What files a volume holds, from the objects it is made of.

Pure. `tree` writes the result; service-account tokens come in ready-made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object
from lab.pocket.node.environment import Lookup, container_named, data_of, missing
from lab.pocket.node.fields import BadReference, field_value, resource_value

DEFAULT_MODE = 0o644
TOKEN_MODE, OPEN_TOKEN_MODE = 0o600, 0o644
"""As the kubelet does where all containers run as root, and where they do not."""


@dataclass(frozen=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int = DEFAULT_MODE


Files = dict[str, File]


@dataclass(frozen=True)
class TokenWish:
    """A token that a volume asks for."""

    audience: str
    seconds: int


@dataclass(frozen=True)
class Sources:
    """Where content comes from."""

    pod: Object
    lookup: Lookup
    tokens: Mapping[TokenWish, str]
    token_mode: int = TOKEN_MODE


def token_wishes(volumes: Iterable[Mapping[str, Any]]) -> set[TokenWish]:
    """All tokens that these volumes need."""
    parts = [s for v in volumes for s in (v.get("projected") or {}).get("sources") or ()]
    return {_wish(part["serviceAccountToken"]) for part in parts if "serviceAccountToken" in part}


def references(volumes: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Every ("ConfigMap" or "Secret", name) whose change changes the volumes."""
    found = set()
    for volume in volumes:
        for part in [volume, *((volume.get("projected") or {}).get("sources") or ())]:
            if "configMap" in part:
                found.add(("ConfigMap", str(part["configMap"].get("name", ""))))
            if secret := part.get("secret"):
                found.add(("Secret", str(secret.get("secretName") or secret.get("name", ""))))
    return found


def is_written(volume: Mapping[str, Any]) -> bool:
    """The node writes this volume's files, and again when their sources change."""
    return any(kind in volume for kind in ("configMap", "secret", "projected", "downwardAPI"))


def files(volume: Mapping[str, Any], sources: Sources) -> Files:
    """The files of a volume for which `is_written`. Raises BadReference while a source is missing."""
    if "projected" in volume:
        projected = volume["projected"]
        mode = projected.get("defaultMode", DEFAULT_MODE)
        result: Files = {}
        for part in projected.get("sources") or ():
            result.update(_part(part, mode, sources))
        return result
    part = {kind: volume[kind] for kind in ("configMap", "secret", "downwardAPI") if kind in volume}
    return _part(part, next(iter(part.values())).get("defaultMode", DEFAULT_MODE), sources)


def _part(part: Mapping[str, Any], mode: int, sources: Sources) -> Files:
    if token := part.get("serviceAccountToken"):
        return {token["path"]: File(sources.tokens[_wish(token)].encode(), mode & sources.token_mode)}
    if "downwardAPI" in part:
        return _downward(part["downwardAPI"], mode, sources.pod)
    if not {"configMap", "secret"} & part.keys():
        raise BadReference(f"projected sources of type {', '.join(part)} are not supported here")
    kind, reference = ("ConfigMap", part["configMap"]) if "configMap" in part else ("Secret", part["secret"])
    wanted = str(reference.get("secretName") or reference.get("name", ""))
    obj = sources.lookup(kind, wanted)
    if obj is None:
        if reference.get("optional"):
            return {}
        raise missing(kind, wanted)
    return _chosen(f'{kind.lower()} "{wanted}"', data_of(obj), reference, mode)


def _chosen(what: str, data: Mapping[str, bytes], reference: Mapping[str, Any], mode: int) -> Files:
    if not reference.get("items"):
        return {key: File(value, mode) for key, value in data.items()}
    result = {}
    for item in reference["items"]:
        if item["key"] in data:
            result[item["path"]] = File(data[item["key"]], item.get("mode", mode))
        elif not reference.get("optional"):
            raise BadReference(f'{what} has no key "{item["key"]}"')
    return result


def _downward(source: Mapping[str, Any], mode: int, pod: Object) -> Files:
    result = {}
    for item in source.get("items") or ():
        if reference := item.get("fieldRef"):
            text = field_value(pod, reference["fieldPath"])
        else:
            reference = item["resourceFieldRef"]
            text = resource_value(container_named(pod, reference.get("containerName")), reference)
        result[item["path"]] = File(text.encode(), item.get("mode", mode))
    return result


def _wish(token: Mapping[str, Any]) -> TokenWish:
    return TokenWish(str(token.get("audience") or ""), int(token.get("expirationSeconds") or 3600))
