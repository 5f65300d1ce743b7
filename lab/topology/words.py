"""Small words of a scenario: names with slashes, lists that may be a single word. Pure."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BeforeValidator

from lab.base.jsonpath import PathError, steps


def parts(count: int, allowed: str) -> Callable[[object], object]:
    """A validator of text of so many parts with slashes between them."""

    def read(value: object) -> object:
        if not isinstance(value, str) or len(value.split("/")) != count or not all(value.split("/")):
            raise ValueError(allowed)
        return value

    return read


def written(parse: Callable[[object], object]) -> BeforeValidator:
    """A word of the command line that is checked here and kept as written."""

    def read(value: object) -> object:
        parse(value)
        return value

    return BeforeValidator(read, json_schema_input_type=str)


def _fault_target(value: object) -> object:
    """The last part may be a label selector, and keys of labels may hold a slash."""
    found = value.split("/", 2) if isinstance(value, str) else []
    if len(found) == 1 and found[0]:
        return value  # clusters; whether that is meant depends on the fault
    if len(found) != 3 or not all(found) or ("/" in found[2] and "=" not in found[2]):
        raise ValueError("CLUSTER/NAMESPACE/DEPLOYMENT, such as west/shop/front or west/shop/app=front")
    return value


def _several(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _path(value: object) -> object:
    try:
        steps(value if isinstance(value, str) else "")
    except PathError as error:
        raise ValueError(f"a path like status.readyReplicas or links[0].state ({error})") from error
    return value


TrafficName = Annotated[
    str, BeforeValidator(parts(2, "CLUSTER/TRAFFIC, such as west/front-shop"), json_schema_input_type=str)
]
FaultTarget = Annotated[str, BeforeValidator(_fault_target, json_schema_input_type=str)]
Workload = Annotated[
    str,
    BeforeValidator(
        parts(3, "CLUSTER/NAMESPACE/DEPLOYMENT, such as west/shop/front"), json_schema_input_type=str
    ),
]
JsonPath = Annotated[str, BeforeValidator(_path, json_schema_input_type=str)]
Names = Annotated[tuple[str, ...], BeforeValidator(_several, json_schema_input_type=str | list[str])]
Statuses = Annotated[tuple[int, ...], BeforeValidator(_several, json_schema_input_type=int | list[int])]
GrpcStatus = Literal[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
"""The codes of gRPC, by their names in its specification."""
GrpcStatuses = Annotated[
    tuple[GrpcStatus, ...],
    BeforeValidator(_several, json_schema_input_type=GrpcStatus | list[GrpcStatus]),
]
Policy = Literal["denied", "allowed"]
