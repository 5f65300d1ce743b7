"""What both sides of echo-advanced agree on: the gRPC method, and lines of `Key=value`.

The image of that name in the Gateway API's conformance suite is Istio's echo server; this is a program of
our own that keeps its contract. Its gRPC messages have one field, `string message = 1`, and so has the
well-known StringValue: on the wire they are the same.
"""

from collections.abc import Iterable

from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "proto.EchoTestService"
METHOD = "Echo"


def encode(message: str) -> bytes:
    return StringValue(value=message).SerializeToString()


def decode(body: bytes) -> str:
    return StringValue.FromString(body).value


def lines(fields: Iterable[tuple[str, object]], headers: Iterable[tuple[str, str]]) -> str:
    """The body of an echo: a line per field, then one per header as it arrived."""
    found = [f"{key}={value}" for key, value in fields]
    return "".join(f"{line}\n" for line in [*found, *(f"RequestHeader={n}:{v}" for n, v in headers)])
