"""pods/proxy and services/proxy: an HTTP reverse proxy to a pod, for GET as well as for writes."""

import contextlib

import aiohttp
from aiohttp import web

from lab.pocket.apiserver.admission.webhook_target import endpoint
from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import bad_request, not_found, unavailable
from lab.pocket.apiserver.storage.record import Key

NOT_PASSED_ON = frozenset(
    {"authorization", "connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
CONNECT_SECONDS = 3.0


async def proxy(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    """Answer with what the pod, or a ready pod of the Service, answers."""
    scheme, name, port = _parts(call.name)
    if call.resource.plural == "services":
        host, target = _service(api, call, name, port)
    else:
        host, target = _pod(api, call, name, port)
    url = f"{scheme}://{host}:{target}/{call.rest.lstrip('/')}"
    if request.rel_url.raw_query_string:
        url += f"?{request.rel_url.raw_query_string}"
    headers = {k: v for k, v in request.headers.items() if k.lower() not in NOT_PASSED_ON}
    limit = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    body = await request.read() if request.can_read_body else None
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, auto_decompress=False, trust_env=False) as session,
            session.request(
                request.method, url, data=body, headers=headers, ssl=False, allow_redirects=False
            ) as answer,
        ):
            passed = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_PASSED_ON}
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):  # a reader that saw enough hangs up first
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response
    except (TimeoutError, aiohttp.ClientError) as error:
        raise unavailable(f"error trying to reach service: {error}") from error


def _parts(word: str) -> tuple[str, str, str]:
    """Scheme, name and port of `name`, `name:port` or `scheme:name:port`."""
    parts = word.split(":")
    if len(parts) == 3:
        scheme, name, port = parts
    else:
        scheme, name, port = "http", parts[0], parts[1] if len(parts) == 2 else ""
    if scheme not in ("", "http", "https") or len(parts) > 3:
        raise bad_request(f'invalid proxy target "{word}"')
    return scheme or "http", name, port


def _pod(api: Api, call: Call, name: str, port: str) -> tuple[str, int]:
    record = api.store.get(Key("/pods", call.namespace, name))
    if record is None:
        raise not_found(call.resource.target(name))
    pod = record.copy()
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        raise unavailable("address not allowed")
    ports = [p for c in pod["spec"]["containers"] for p in c.get("ports") or []]
    if not port:
        return address, int(ports[0]["containerPort"]) if ports else 80
    named = next((p["containerPort"] for p in ports if p.get("name") == port), port)
    return address, _number(named)


def _service(api: Api, call: Call, name: str, port: str) -> tuple[str, int]:
    record = api.store.get(Key("/services", call.namespace, name))
    if record is None:
        raise not_found(call.resource.target(name))
    ports = record.copy()["spec"].get("ports") or []
    chosen = next((p for p in ports if port in ("", p.get("name", ""), str(p["port"]))), None)
    if chosen is None:
        raise unavailable(f'no service port "{port}" found for service "{name}"')
    try:
        return endpoint(api.store, call.namespace, name, int(chosen["port"]))
    except LookupError as error:
        raise unavailable(str(error)) from error


def _number(port: object) -> int:
    if not str(port).isdigit():
        raise bad_request(f'invalid proxy port "{port}"')
    return int(str(port))
