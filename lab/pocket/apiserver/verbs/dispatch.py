"""From a call to the verb that serves it; the one table of verbs and subresources.

http/server.py calls `serve` after authentication and authorization.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import StatusError, method_not_allowed, unknown_path
from lab.pocket.apiserver.http.negotiate import Shape, choose
from lab.pocket.apiserver.http.respond import respond, respond_error
from lab.pocket.apiserver.tunnel import backends, kubelet

from . import create, delete, evict, patch, read, reviews, scale, token, update
from .options import check_options
from .watch import watch

Verb = Callable[[Api, Call], Awaitable[Answer]]


async def _get(api: Api, call: Call) -> Answer:
    return read.get(api, call)


async def _list(api: Api, call: Call) -> Answer:
    return read.list_objects(api, call)


_MAIN: dict[str, Verb] = {
    "get": _get,
    "list": _list,
    "create": create.create,
    "update": update.update,
    "patch": patch.patch,
    "delete": delete.delete,
    "deletecollection": delete.delete_collection,
}
_READS = ("get", "list", "watch")
_UNNAMED = ("list", "deletecollection")
_SUBRESOURCES: dict[str, dict[str, Verb]] = {
    "status": {"get": _get, "update": update.update, "patch": patch.patch},
    "finalize": {"update": update.update},
    "approval": {"get": _get, "update": update.update, "patch": patch.patch},
    "scale": {"get": scale.get, "update": scale.update, "patch": scale.patch},
    "token": {"create": token.create},
    "eviction": {"create": evict.create},
    "binding": {"create": evict.bind},
}
_REFUSED = {
    "ephemeralcontainers": "ephemeral containers are not supported: the lab's node adds nothing to a running "
    "pod; use kubectl exec, or kubectl debug --copy-to",
    "resize": "resizing is not supported: the lab's node does not change running containers; replace the pod",
}
_STREAMS: dict[str, Callable[[Api, Call, web.BaseRequest], Awaitable[web.StreamResponse]]] = {
    "log": kubelet.log,
    "exec": kubelet.connect,
    "attach": kubelet.connect,
    "portforward": kubelet.connect,
    "proxy": backends.proxy,
}


async def serve(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    if call.subresource in _STREAMS and call.resource.has(call.subresource):
        return await _STREAMS[call.subresource](api, call, request)
    try:
        return await _serve(api, call, request)
    except StatusError as error:
        return respond_error(error, call.warnings)


async def _serve(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    shape = _shape(request)
    check_options(call)
    if call.resource.deprecated:
        call.warnings.append(call.resource.deprecated)
    if call.resource.idle and call.verb not in _READS:
        call.warnings.append(f"{call.resource.kind} is stored, not acted on: {call.resource.idle}")
    if call.verb == "watch":
        _require_verb(call)
        return await watch(api, call, request, shape)
    answer = await _verb(call)(api, call)
    return respond(answer, shape, call.query, call.warnings)


def _shape(request: web.BaseRequest) -> Shape:
    return choose(request.headers.get("Accept", ""))


def _require_verb(call: Call) -> None:
    if call.verb not in call.resource.verbs:
        raise method_not_allowed()


def _verb(call: Call) -> Verb:
    if not call.subresource:
        _require_verb(call)
        if call.verb == "create" and "get" not in call.resource.verbs:
            return reviews.create
        if bool(call.name) == (call.verb == "create") and call.verb not in _UNNAMED:
            raise method_not_allowed()
        found = _MAIN.get(call.verb)
    elif call.subresource in _REFUSED and call.resource.has(call.subresource):
        raise StatusError(501, "NotImplemented", _REFUSED[call.subresource])
    elif not call.resource.has(call.subresource):
        raise unknown_path()
    else:
        found = _SUBRESOURCES.get(call.subresource, {}).get(call.verb)
    if found is None:
        raise method_not_allowed()
    return found


__all__: list[Any] = ["serve"]
