"""Small controllers that give each namespace and Service what every Kubernetes user takes for granted.

The default ServiceAccount and the root CA of each namespace; the end of tokens whose ServiceAccount is gone;
the address of LoadBalancer Services.
"""

from pathlib import Path

from lab.kube.client import Client
from lab.kube.errors import Forbidden, NotFound
from lab.kube.kinds import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, SERVICES
from lab.kube.objects import Key, Object, annotations, key, name, namespace, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import ensure, remove

ROOT_CA = "kube-root-ca.crt"
ACCOUNT_NAME, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"


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


class TokenSecrets:
    """A token's Secret goes with the ServiceAccount that it was made for.

    The API server fills such Secrets. One that waits for its account, because it was applied first, stays.
    """

    def __init__(self, client: Client, watches: Watches) -> None:
        self._client, self._watches = client, watches
        self._reconciler: Reconciler[Key] = Reconciler("token secrets", self._reconcile)
        watches.secrets.subscribe(self._secret_changed)
        watches.service_accounts.subscribe(self._account_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _secret_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and _account_uid(new):
            self._reconciler.enqueue(key(new))

    def _account_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or uid(new) != uid(old)):
            for secret in self._watches.secrets.list(namespace(old)):
                if _account_uid(secret) == uid(old):
                    self._reconciler.enqueue(key(secret))

    async def _reconcile(self, secret_key: Key) -> None:
        secret = self._watches.secrets.get(*secret_key)
        if secret is None or not (wanted := _account_uid(secret)):
            return
        try:
            account = annotations(secret).get(ACCOUNT_NAME, "")
            found = await self._client.get(SERVICE_ACCOUNTS, account, secret_key[0])
        except NotFound:
            found = {}
        if uid(found) != wanted:
            await remove(self._client, SECRETS, secret)


def _account_uid(secret: Object) -> str:
    is_token = secret.get("type") == "kubernetes.io/service-account-token"
    return annotations(secret).get(ACCOUNT_UID, "") if is_token else ""


class LoadBalancers:
    """Services of type LoadBalancer are reachable at the node's address; a class names somebody else."""

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
        spec = service.get("spec") or {}
        is_balanced = spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")
        return [{"ip": self._node_ip, "ipMode": "VIP"}] if is_balanced else []

    def _shown(self, service: Object) -> list[dict[str, str]]:
        return ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
