"""Events have two served shapes (core/v1 and events.k8s.io/v1) and one stored: core's. Pure."""

from typing import Any

Object = dict[str, Any]

_CORE_TO_GROUP = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_GROUP_TO_CORE = {new: old for old, new in _CORE_TO_GROUP.items()}


def _renamed(obj: Object, names: dict[str, str], api_version: str) -> Object:
    found = {names.get(key, key): value for key, value in obj.items()}
    found["apiVersion"] = api_version
    return found


def to_events_group(obj: Object) -> Object:
    return _renamed(obj, _CORE_TO_GROUP, "events.k8s.io/v1")


def to_core(obj: Object) -> Object:
    return _renamed(obj, _GROUP_TO_CORE, "v1")
