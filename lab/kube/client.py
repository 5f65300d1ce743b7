"""The lab's client of any Kubernetes API server: dicts in, dicts out.

Configuration (kubeconfig, in-cluster), TLS and token refresh are the official client's; this adds
what our programs share: paths by Kind, errors by meaning, hard time limits and server-side apply.
Watching is in `watch.py`.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
    load_kube_config_from_dict,
)

from lab.base.errors import LabError
from lab.base.tls import thrifty
from lab.kube.errors import Unavailable, from_response
from lab.kube.kinds import Kind
from lab.kube.objects import Object, name, namespace

PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclass(frozen=True)
class Request:
    """One call: `timeout` bounds the whole answer (None for streams), `silence` a gap in it; seconds."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    timeout: float | None = 10.0
    silence: float | None = None


class Client:
    """A connection to one API server; use it as an async context manager or call `close`."""

    record = "multicluster-lab"
    """Name of the ConfigMap in which the lab writes down what it made (`lab.kube.record`)."""

    def __init__(self, configuration: Any) -> None:
        configuration.connection_pool_maxsize = 0  # every watch holds a connection: no limit
        configuration.client_session_kwargs = {"trust_env": self.uses_proxy(str(configuration.host))}
        configuration.retries = None
        thrifty()
        self.configuration = configuration
        self._api = ApiClient(configuration)

    @classmethod
    async def from_kubeconfig(cls, path: Path | str, context: str | None = None) -> Self:
        """Connect as a kubeconfig file's context says. Raises LabError if the file does not fit."""
        configuration = Configuration()
        try:
            await load_kube_config(str(path), context, configuration, persist_config=False)
        except (ConfigException, OSError) as error:
            raise LabError(
                f"kubeconfig {path}: {error}", remedy="`inv kubeconfig` prints the lab's own"
            ) from error
        return cls(configuration)

    @classmethod
    async def from_kubeconfig_data(cls, data: Mapping[str, Any]) -> Self:
        """Connect as a parsed kubeconfig says (its current context)."""
        configuration = Configuration()
        try:
            await load_kube_config_from_dict(dict(data), client_configuration=configuration)
        except ConfigException as error:
            raise LabError(f"kubeconfig data: {error}") from error
        return cls(configuration)

    @classmethod
    async def in_cluster(cls) -> Self:
        """Connect as the pod's service account."""
        configuration = Configuration()
        load_incluster_config(configuration)
        return cls(configuration)

    def uses_proxy(self, server: str) -> bool:
        """Whether a proxy that the environment names is used: never on the way to a lab of this machine."""
        return False

    def owns(self, obj: Object) -> bool:
        """Whether the lab may change and remove an object: all of them, in clusters of its own."""
        return True

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self.configuration.host)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._api.close()

    async def get(self, kind: Kind, name: str, namespace: str = "", sub: str = "") -> Object:
        return await self._json(Request("GET", kind.path(namespace, name, sub)))

    async def list(self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "") -> list[Object]:
        """All objects that match, with kind and apiVersion filled in as a watch would give them."""
        answer = await self._json(Request("GET", kind.path(namespace), selection(labels, fields)))
        return listed(answer, kind)

    async def create(self, kind: Kind, obj: Object, namespace_: str = "", sub: str = "") -> Object:
        """POST an object (or, with `sub`, to a subresource of the named one)."""
        target = name(obj) if sub else ""
        path = kind.path(namespace_ or namespace(obj), target, sub)
        return await self._json(Request("POST", path, body=obj))

    async def replace(self, kind: Kind, obj: Object, sub: str = "") -> Object:
        return await self._json(Request("PUT", kind.path(namespace(obj), name(obj), sub), body=obj))

    async def patch(
        self, kind: Kind, target: str, patch: Any, namespace: str = "", sub: str = "", type: str = "merge"
    ) -> Object:
        """Patch one object; `type` is json, merge or strategic."""
        path = kind.path(namespace, target, sub)
        return await self._json(Request("PATCH", path, body=patch, content_type=PATCH_TYPES[type]))

    async def apply(
        self, kind: Kind, obj: Object, *, manager: str = "lab", force: bool = True, sub: str = ""
    ) -> Object:
        """Server-side apply: the object's fields become `manager`'s, others stay as they are."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        path = kind.path(namespace(obj), name(obj), sub)
        return await self._json(Request("PATCH", path, query, obj, PATCH_TYPES["apply"]))

    async def delete(self, kind: Kind, target: str, namespace: str = "", **options: Any) -> Object:
        """Delete one object; `options` are metav1.DeleteOptions fields. Raises NotFound."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options} if options else None
        return await self._json(Request("DELETE", kind.path(namespace, target), body=body))

    async def raw(self, request: Request) -> bytes:
        """The body of any answer with a 2xx code; ApiError otherwise."""
        response = await self.open(request)
        try:
            async with asyncio.timeout(request.timeout):
                return await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._unavailable(request, error) from error
        finally:
            response.release()

    async def open(self, request: Request) -> aiohttp.ClientResponse:
        """Send a request and return the answer before its body is read; the caller releases it."""
        method, url, headers, body, _ = await self._api.param_serialize(
            request.method,
            request.path + (f"?{urlencode(request.query)}" if request.query else ""),
            header_params={"Accept": request.accept, "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        connect = min(5.0, request.timeout or 5.0)
        limit = aiohttp.ClientTimeout(total=request.timeout, sock_connect=connect, sock_read=request.silence)
        try:
            answer = await self._api.rest_client.request(method, url, headers, body, _request_timeout=limit)
            response: aiohttp.ClientResponse = answer.response
            if response.status >= 300:
                content = await response.read()
                response.release()
                raise from_response(response.status, content, f"{request.method} {request.path}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._unavailable(request, error) from error
        return response

    async def _json(self, request: Request) -> Object:
        answer: Object = json.loads(await self.raw(request))
        return answer

    def _unavailable(self, request: Request, error: Exception) -> Unavailable:
        seen = str(error) or f"no answer within {request.timeout:g} s"
        return Unavailable(0, "", f"{request.method} {request.path}: {self.server} is unreachable: {seen}")


def selection(labels: str = "", fields: str = "") -> dict[str, str]:
    """Query parameters of a list or watch."""
    return {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}


def listed(answer: Object, kind: Kind) -> list[Object]:
    """The items of a list answer, each complete with its kind."""
    head = {"apiVersion": kind.api_version, "kind": kind.kind}
    return [{**head, **item} for item in answer.get("items") or []]
