"""Small controllers that give each namespace and Service what every Kubernetes user takes for granted.

The default ServiceAccount and the root CA of each namespace; the address of LoadBalancer Services.
"""

from pathlib import Path

from lab.kube.client import Client
from lab.kube.errors import Forbidden, NotFound
from lab.kube.kinds import CONFIG_MAPS, SERVICE_ACCOUNTS, SERVICES
from lab.kube.objects import Key, Object, key, name, namespace
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import ensure

ROOT_CA = "kube-root-ca.crt"


class NamespaceBasics:
    """Each active namespace has its `default` ServiceAccount and `kube-root-ca.crt`."""

    def __init__(self, client: Client, watches: Watches, ca_file: Path) -> None:
        self._client, self._watches, self._ca = client, watches, ca_file.read_text()
        self._reconciler: Reconciler[str] = Reconciler("namespace basics", self._reconcile)
        watches.namespaces.subscribe(self._namespace_changed)
        watches.service_accounts.subscribe(self._part_changed)
        watches.config_maps.subscribe(self._part_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._reconciler.enqueue(name(new))

    def _part_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        if name(obj) in ("default", ROOT_CA):
            self._reconciler.enqueue(namespace(obj))

    async def _reconcile(self, space: str) -> None:
        owner = self._watches.namespaces.get("", space)
        if owner is None or (owner.get("status") or {}).get("phase") == "Terminating":
            return
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": space},
        }
        authority = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "namespace": space},
            "data": {"ca.crt": self._ca},
        }
        watches = self._watches
        try:
            await ensure(
                self._client, SERVICE_ACCOUNTS, account, watches.service_accounts.get(space, "default")
            )
            await ensure(self._client, CONFIG_MAPS, authority, watches.config_maps.get(space, ROOT_CA))
        except (Forbidden, NotFound):
            if watches.namespaces.get("", space) is owner:
                raise  # not because the namespace went away under us


class LoadBalancers:
    """Services of type LoadBalancer are reachable at the node's address."""

    def __init__(self, client: Client, watches: Watches, node_ip: str) -> None:
        self._client, self._watches, self._node_ip = client, watches, node_ip
        self._reconciler: Reconciler[Key] = Reconciler("load balancer", self._reconcile)
        watches.services.subscribe(self._changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and self._wanted(new) != self._shown(new):
            self._reconciler.enqueue(key(new))

    async def _reconcile(self, service_key: Key) -> None:
        service = self._watches.services.get(*service_key)
        if service is None or self._wanted(service) == self._shown(service):
            return
        patch = {"status": {"loadBalancer": {"ingress": self._wanted(service) or None}}}
        await self._client.patch(SERVICES, name(service), patch, namespace(service), "status")

    def _wanted(self, service: Object) -> list[dict[str, str]]:
        is_balanced = (service.get("spec") or {}).get("type") == "LoadBalancer"
        return [{"ip": self._node_ip, "ipMode": "VIP"}] if is_balanced else []

    def _shown(self, service: Object) -> list[dict[str, str]]:
        return ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
