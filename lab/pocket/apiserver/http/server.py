"""The HTTP front: one request in, one response out, and never a traceback in it.

Order of every resource request: route, authenticate, authorize, read the body, serve. Everything
that is not a resource (health, discovery, OpenAPI, version) is in meta.py.
"""

import asyncio
from dataclasses import replace

from aiohttp import web

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.pocket.apiserver.auth.authenticate import User
from lab.pocket.apiserver.auth.impersonate import acting_user
from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import StatusError, bad_request, internal, too_large, unknown_path
from lab.pocket.apiserver.storage.store import StoreFailed
from lab.pocket.apiserver.verbs.dispatch import serve

from . import meta
from .body import LIMIT
from .paths import CONNECT, ResourcePath, parse, verb_of
from .respond import respond_error

log = get_logger(__name__)
_BODY_SECONDS = 60.0
_WRITES = ("create", "update", "patch", "delete", "deletecollection")


class Front:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._serve(request)
        except StatusError as error:
            return respond_error(error)
        except StoreFailed as error:
            log.error("store failed", method=request.method, path=request.path, error=error)
            return respond_error(internal(f"{error}; {error.remedy}"))
        except LabError as error:
            return respond_error(internal(str(error)))
        except (ConnectionError, asyncio.CancelledError):
            raise  # the client went away
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            return respond_error(internal("the API server met an error of its own; its log has the details"))

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        user = self._user(request)
        path = parse(request.rel_url.raw_path)
        if path is None or not path.plural:
            return await meta.serve(self._api, user, request)
        call = await self._call(request, path, user)
        self._api.authorizer.require(user, call)
        if call.verb in _WRITES and call.subresource not in CONNECT:
            call = replace(call, body=await _read(request))
        return await serve(self._api, call, request)

    def _user(self, request: web.BaseRequest) -> User:
        transport = request.transport
        peer = transport.get_extra_info("peercert") if transport is not None else None
        caller = self._api.authenticator.identify(request.headers.get("Authorization", ""), peer)
        return acting_user(caller, request.headers, self._api.authorizer)

    async def _call(self, request: web.BaseRequest, path: ResourcePath, user: User) -> Call:
        resource = self._api.registry.find(path.group, path.version, path.plural)
        query = dict(request.query)
        verb = verb_of(request.method, path, query)
        if resource is None or not verb:
            # What is not served is only told to those who may ask for it at all.
            self._api.authorizer.require_path(user, request.method.lower(), request.path)
            raise unknown_path()
        namespaced = resource.namespaced
        namespace = path.namespace if namespaced else ""
        if path.namespace and not namespaced:
            raise unknown_path()
        if namespaced and not namespace and (path.name or verb == "create"):
            raise unknown_path() if path.name else bad_request("namespace is required to create this object")
        return Call(
            user=user,
            verb=verb,
            resource=resource,
            namespace=namespace,
            name=path.name,
            subresource=path.subresource,
            rest=path.rest,
            query=query,
            content_type=request.headers.get("Content-Type", "application/json"),
            user_agent=request.headers.get("User-Agent", ""),
        )


async def _read(request: web.BaseRequest) -> bytes:
    if (request.content_length or 0) > LIMIT:
        raise too_large(LIMIT)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > LIMIT:
                    raise too_large(LIMIT)
                chunks.append(chunk)
    except web.RequestPayloadError as error:
        raise bad_request(f"the body cannot be read: {error}") from error
    except TimeoutError as error:
        raise StatusError(408, "Timeout", f"the body was not complete after {_BODY_SECONDS:g} s") from error
    return b"".join(chunks)
