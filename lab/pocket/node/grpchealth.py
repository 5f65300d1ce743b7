"""A gRPC probe: one call of the standard health service (grpc.health.v1), without TLS, as upstream.

Both of its messages have one field, number 1, a string and an enum: on the wire they are the same as
protobuf's own wrapper messages, so no generated code is needed.
"""

from lab.pocket.node.outcome import Outcome

METHOD = "/grpc.health.v1.Health/Check"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


async def serving(ip: str, port: int, service: str) -> Outcome:
    """Ask whether `service` (empty: the whole server) serves."""
    import grpc  # large, and few pods have such a probe
    from google.protobuf.wrappers_pb2 import Int32Value, StringValue

    async with grpc.aio.insecure_channel(f"{ip}:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(METHOD, StringValue.SerializeToString, Int32Value.FromString)
        try:
            answer = await check(StringValue(value=service))
        except grpc.aio.AioRpcError as error:
            return Outcome(False, _refusal(error.code().name, str(error.details()), f"{ip}:{port}"))
    status = STATUSES[answer.value] if answer.value in range(len(STATUSES)) else str(answer.value)
    return Outcome(status == "SERVING", f'service unhealthy (responded with "{status}")')


def _refusal(code: str, details: str, address: str) -> str:
    if code == "UNIMPLEMENTED":
        return f"this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
    if code == "UNAVAILABLE":
        return f'failed to connect service "{address}": {details}'
    return f"health rpc failed with {code}: {details}"
