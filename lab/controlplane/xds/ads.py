"""The aggregated discovery service: one stream per proxy, incremental, by mutual TLS.

It serves whatever `source` says a proxy must have, and is told by `changed` when that may differ. Per
stream and type one response is under way at a time: a slow proxy gets fewer, larger updates and delays
nobody else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from grpc import aio

from lab.base.log import get_logger
from lab.base.wait import pause
from lab.controlplane.xds.resources import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SEND_ORDER
from lab.controlplane.xds.snapshot import Snapshot
from lab.controlplane.xds.subscription import Subscription
from lab.controlplane.xds.translate import Proxy

log = get_logger(__name__)

COALESCE = 0.005
# Listeners and routes wait for the clusters and endpoints that they may name; those that leave, for them.
_AFTER = {LISTENER: (CLUSTER, ENDPOINTS), ROUTES: (CLUSTER, ENDPOINTS)}
_LARGEST_MESSAGE = 256 << 20


@dataclass(frozen=True)
class Sources:
    """`snapshot` gives what a proxy must have (None: not known now, keep what it has); `identity` its pod's
    name.
    """

    snapshot: Callable[[Proxy], Snapshot | None]
    identity: Callable[[Proxy], str]


@dataclass
class Counters:
    """For metrics."""

    pushes: int = 0
    resources: int = 0
    rejected: int = 0


@dataclass(eq=False)
class _Stream:
    """One connected proxy."""

    proxy: Proxy
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    nonce: int = 0

    def is_busy(self, type_url: str) -> bool:
        """Whether a response of this type, or one it must follow, is under way."""
        found = (self.subscriptions.get(t) for t in (type_url, *_AFTER.get(type_url, ())))
        return any(subscription and subscription.waiting_for for subscription in found)

    def may_still_use(self, kind: str, snapshot: Snapshot) -> bool:
        """Whether the proxy may have listeners or routes that name what of this type has left."""
        followers = [(t, self.subscriptions.get(t)) for t, leaders in _AFTER.items() if kind in leaders]
        return any(found and (found.waiting_for or found.changes(snapshot.of(t))) for t, found in followers)


class AdsServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc] # untyped upstream
    """Serves all proxies of a cluster."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._streams: set[_Stream] = set()
        self._dirty = asyncio.Event()
        self._server: Any = None
        self.counters = Counters()

    @property
    def connected(self) -> list[Proxy]:
        return [stream.proxy for stream in self._streams]

    def changed(self) -> None:
        """Something that proxies depend on may have changed."""
        self._dirty.set()

    async def start(self, address: str, credentials: Any = None) -> int:
        """Listen; without credentials in plaintext (tests). Returns the port."""
        options = [
            ("grpc.max_send_message_length", _LARGEST_MESSAGE),
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
            ("grpc.so_reuseport", 0),
        ]
        self._server = aio.server(options=options)
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        await self._server.start()
        return int(port)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0.5)

    async def run(self) -> None:
        """Tell the streams of changes, many at once as one, until cancelled."""
        while True:
            await self._dirty.wait()
            await pause(COALESCE)
            self._dirty.clear()
            for stream in self._streams:
                stream.wake.set()

    async def DeltaAggregatedResources(  # noqa: N802 - the name of the protocol
        self, requests: AsyncIterator[Any], context: Any
    ) -> None:
        """One proxy, until it hangs up."""
        first = await anext(aiter(requests), None)
        if first is None:
            return
        proxy = await self._admit(first.node, context)
        stream = _Stream(proxy)
        log.info("proxy connected", pod=f"{proxy.pod}.{proxy.namespace}", role=proxy.role)
        self._streams.add(stream)
        reading = asyncio.create_task(self._read(stream, first, requests))
        try:
            await self._write(stream, context, reading)
        finally:
            self._streams.discard(stream)
            reading.cancel()
            log.info("proxy gone", pod=f"{proxy.pod}.{proxy.namespace}")

    async def _admit(self, node: Any, context: Any) -> Proxy:
        """Who calls; aborts the call unless its certificate is that of the pod it says it is."""
        fields = node.metadata.fields
        said = {name: fields[name].string_value for name in ("namespace", "pod", "role") if name in fields}
        proxy = Proxy(said.get("namespace", ""), said.get("pod", ""), said.get("role") or "sidecar")
        names = context.auth_context().get("x509_subject_alternative_name")
        if names is not None:
            expected = self._sources.identity(proxy)
            if not expected:
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"pod {proxy.pod} is not known here (yet)")
            if expected.encode() not in names:
                log.warning("proxy refused", pod=proxy.pod, expected=expected, seen=names)
                await context.abort(
                    grpc.StatusCode.PERMISSION_DENIED, f"the certificate is not that of {expected}"
                )
        return proxy

    async def _read(self, stream: _Stream, first: Any, requests: AsyncIterator[Any]) -> None:
        self._take(stream, first)
        async for request in requests:
            self._take(stream, request)

    def _take(self, stream: _Stream, request: Any) -> None:
        """Record a request: a subscription, an acknowledgement, a refusal."""
        kind = request.type_url
        found = stream.subscriptions.get(kind)
        if found is None:
            known = dict(request.initial_resource_versions)
            stream.subscriptions[kind] = Subscription.opened(request.resource_names_subscribe, known)
        else:
            if request.response_nonce and request.response_nonce == found.waiting_for:
                found.waiting_for = ""
            found.apply(request.resource_names_subscribe, request.resource_names_unsubscribe)
        if request.HasField("error_detail"):
            self.counters.rejected += 1
            log.error(
                "proxy rejected an update",
                pod=f"{stream.proxy.pod}.{stream.proxy.namespace}",
                type=kind.rpartition(".")[2],
                error=request.error_detail.message,
            )
        stream.wake.set()

    async def _write(self, stream: _Stream, context: Any, reading: asyncio.Task[None]) -> None:
        ended = asyncio.ensure_future(reading)
        ended.add_done_callback(lambda _: stream.wake.set())
        while not ended.done():
            await stream.wake.wait()
            stream.wake.clear()
            if snapshot := self._sources.snapshot(stream.proxy):
                for kind in SEND_ORDER:
                    await self._send(stream, kind, snapshot, context)

    async def _send(self, stream: _Stream, kind: str, snapshot: Snapshot, context: Any) -> None:
        subscription = stream.subscriptions.get(kind)
        if subscription is None or stream.is_busy(kind):
            return
        resources = snapshot.of(kind)
        changes = subscription.changes(resources)
        keep = bool(changes.removed) and stream.may_still_use(kind, snapshot)
        if keep:
            changes = subscription.changes(resources, keep=True)
        if changes:
            stream.nonce += 1
            subscription.waiting_for = str(stream.nonce)
            response = discovery_pb2.DeltaDiscoveryResponse(
                type_url=kind,
                nonce=subscription.waiting_for,
                system_version_info=subscription.waiting_for,
                removed_resources=changes.removed,
                resources=[
                    discovery_pb2.Resource(name=found.name, version=found.version, resource=found.body)
                    for found in changes.updated
                ],
            )
            self.counters.pushes += 1
            self.counters.resources += len(changes.updated)
        subscription.record(changes, None if keep else resources)
        if changes:
            await context.write(response)
        if kind == CLUSTER and (endpoints := stream.subscriptions.get(ENDPOINTS)):
            # A cluster that is replaced waits for its endpoints, but Envoy does not ask for what it follows
            # already.
            endpoints.repeat(found.pool for found in changes.updated)
