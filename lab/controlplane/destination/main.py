"""Program `destination`: follows the cluster and its linked clusters, and tells every proxy what it must
know.

Ports 8086 (discovery, mutual TLS) and 9996 (admin). It keeps serving what it last saw when an API server is
lost.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.base.log import get_logger, setup
from lab.base.wait import pause
from lab.controlplane import admin
from lab.controlplane.destination.remotes import Remotes
from lab.controlplane.gatewayapi.writer import StatusWriter
from lab.controlplane.identity import client as identity_client
from lab.controlplane.identity.names import LINKERD_NAMESPACE, TRUST_DOMAIN, control_plane_name
from lab.controlplane.lifecycle import until_terminated
from lab.controlplane.model.pods import own_identity
from lab.controlplane.model.profile import profile_of
from lab.controlplane.model.world import LOCAL, World
from lab.controlplane.policy.inbound import CLUSTER_NETWORKS
from lab.controlplane.xds.ads import AdsServer, Sources
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.credentials import Files, server_credentials
from lab.controlplane.xds.snapshot import Snapshot
from lab.controlplane.xds.translate import Proxy, snapshot
from lab.kube import kinds
from lab.kube.client import Client
from lab.kube.informer import Informer, all_answered, all_synced, run_all
from lab.kube.objects import Object
from lab.topology.bugs import BUGS

log = get_logger(__name__)

CORE = (kinds.SERVICES, kinds.ENDPOINT_SLICES, kinds.ENDPOINTS, kinds.PODS, kinds.NAMESPACES)
CUSTOM = (
    kinds.HTTP_ROUTES,
    kinds.GRPC_ROUTES,
    kinds.POLICY_HTTP_ROUTES,
    kinds.SERVERS,
    kinds.SERVER_AUTHORIZATIONS,
    kinds.AUTHORIZATION_POLICIES,
    kinds.MESH_TLS_AUTHENTICATIONS,
    kinds.NETWORK_AUTHENTICATIONS,
    kinds.TRAFFIC_SPLITS,
    kinds.HTTP_FAULTS,
    kinds.CERTIFICATE_FAULTS,
)
"""These may not be installed."""


@dataclass
class Destination:
    """The running program's parts."""

    client: Client
    settings: Settings
    world: World = field(default_factory=World)
    metrics: admin.Metrics = field(default_factory=admin.Metrics)
    why_not_ready: str = "no certificate yet"

    def __post_init__(self) -> None:
        self.core = [Informer(self.client, kind) for kind in CORE]
        self.custom = [Informer(self.client, kind) for kind in CUSTOM]
        self.ads = AdsServer(Sources(self.snapshot, self.identity))
        self.remotes = Remotes(self.client, LINKERD_NAMESPACE, self.world)
        self.writer = StatusWriter(self.client, self.world)
        self.world.on_change = self.ads.changed
        for informer in (*self.core, *self.custom):
            informer.subscribe(self._put)

    def snapshot(self, proxy: Proxy) -> Snapshot | None:
        """None while the proxy's pod is not known: what it has stays."""
        return snapshot(self.world, proxy, self.settings) if self.identity(proxy) else None

    def identity(self, proxy: Proxy) -> str:
        return self.world.graph.get(own_identity, proxy.namespace, proxy.pod)

    async def run(self, options: argparse.Namespace) -> None:
        """Read everything, then serve until terminated."""
        credentials = identity_client.Settings(control_plane_name("linkerd-destination"))
        workload = identity_client.Workload(credentials)
        await until_terminated(
            run_all(*self.core),
            run_all(*self.custom),
            self.remotes.run(),
            self.writer.run(),
            self.ads.run(),
            self._serve(options, workload),
            self._measure(),
        )

    async def _serve(self, options: argparse.Namespace, workload: identity_client.Workload) -> None:
        await workload.obtain_eventually()
        self.why_not_ready = "the cluster's objects have not been read yet"
        # A program that starts anew must not take routes, policies or endpoints away for as long as it reads.
        await all_synced(*self.core)
        await all_answered(*self.custom)
        self.why_not_ready = "the linked clusters have not been read yet"
        await self.remotes.read()
        files = Files.under(workload.settings.directory)
        await self.ads.start(f"0.0.0.0:{options.port}", server_credentials(files))
        self.why_not_ready = ""
        log.info("serving", port=options.port)
        try:
            await workload.run()
        finally:
            await self.ads.stop()

    async def _measure(self) -> None:
        """Bring the metrics up to date now and then."""
        for name, (kind, text) in METRICS.items():
            self.metrics.declare(name, kind, text)
        while True:
            self.metrics.set("cluster_store_size", len(self.remotes.remotes))
            for cluster, is_live in self.remotes.live().items():
                self.metrics.set("remote_api_live", float(is_live), cluster=cluster)
            self.metrics.set("proxies_connected", len(self.ads.connected))
            self.metrics.set("xds_pushes_total", self.ads.counters.pushes)
            self.metrics.set("xds_resources_total", self.ads.counters.resources)
            self.metrics.set("xds_rejected_total", self.ads.counters.rejected)
            await pause(1)

    def _put(self, old: Object | None, new: Object | None) -> None:
        self.world.put(old, new)
        obj = new or old or {}
        is_gateway_api = str(obj.get("apiVersion", "")).startswith("gateway.networking.k8s.io/")
        if is_gateway_api or obj.get("kind") == "Service":
            self.writer.changed(old, new)


METRICS = {
    "cluster_store_size": ("gauge", "Linked clusters whose credentials are known."),
    "remote_api_live": ("gauge", "Whether a linked cluster's API answers."),
    "proxies_connected": ("gauge", "Proxies that follow this control plane."),
    "xds_pushes_total": ("counter", "Responses sent to proxies."),
    "xds_resources_total": ("counter", "Resources sent to proxies."),
    "xds_rejected_total": ("counter", "Responses that a proxy rejected."),
}


async def _run(options: argparse.Namespace) -> None:
    async with await Client.in_cluster() as client:
        profile = profile_of(options.mesh_version)
        destination = Destination(client, Settings(profile))
        local: dict[str, Any] = {
            "trust_domain": TRUST_DOMAIN,
            "default_inbound_policy": options.default_inbound_policy,
            "route_annotations": profile.route_annotations,
            "empty_backend_keeps_share": "empty-backend-keeps-share" in options.emulate,
            "cluster_networks": tuple(options.cluster_networks.split(",")),
        }
        destination.world.set_cluster(LOCAL, local)
        app = admin.application(destination.metrics, lambda: destination.why_not_ready)
        runner = await admin.serve(app, options.admin_port)
        try:
            await destination.run(options)
        finally:
            await runner.cleanup()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="destination", description=__doc__)
    parser.add_argument("--port", type=int, default=8086)
    parser.add_argument("--admin-port", type=int, default=9996)
    parser.add_argument("--mesh-version", default="latest")
    parser.add_argument("--emulate", action="append", default=[], choices=BUGS)
    parser.add_argument("--default-inbound-policy", default="all-unauthenticated")
    parser.add_argument(
        "--cluster-networks", default=",".join(CLUSTER_NETWORKS), help="what the cluster-* policies let in"
    )
    options = parser.parse_args(argv)
    setup()
    asyncio.run(_run(options))
    return 0
