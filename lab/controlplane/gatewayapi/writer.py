"""Writes route status when a route, or a Service it names, changes; one write at a time per route."""

from dataclasses import dataclass, field

from lab.base.log import get_logger
from lab.controlplane.gatewayapi.status import desired_parents, title
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.world import World
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import GRPC_ROUTES, HTTP_ROUTES
from lab.kube.objects import Key, Object, key, name, namespace, now, status
from lab.kube.reconcile import Reconciler

log = get_logger(__name__)

_KINDS = {"HTTPRoute": HTTP_ROUTES, "GRPCRoute": GRPC_ROUTES}
RouteKey = tuple[str, str, str]


@dataclass
class StatusWriter:
    """Keeps `status.parents` of every route in step with the world."""

    client: Client
    world: World
    routes: dict[RouteKey, Object] = field(default_factory=dict)
    _services: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._queue: Reconciler[RouteKey] = Reconciler("route-status", self._reconcile, workers=2)

    def changed(self, old: Object | None, new: Object | None) -> None:
        """A route or Service changed."""
        obj = new or old or {}
        if obj["kind"] == "Service":
            if (key(obj) in self._services) != (new is not None) or old is None or _spec(old) != _spec(new):
                self._services.add(key(obj)) if new else self._services.discard(key(obj))
                for found in self.routes:
                    self._queue.enqueue(found)
            return
        where = (str(obj["kind"]), *key(obj))
        if new is None:
            self.routes.pop(where, None)
        else:
            self.routes[where] = new
        # A route of the other kind may have lost or won a port by this; what only its status says wakes none.
        concerned = [where] if old and new and _spec(old) == _spec(new) else list(self.routes)
        for found in concerned:
            self._queue.enqueue(found)

    async def run(self) -> None:
        await self._queue.run()

    async def _reconcile(self, where: RouteKey) -> float | None:
        route = self.routes.get(where)
        if route is None:
            return None
        wanted = desired_parents(Reader(self.world.graph), route, now())
        if wanted == (status(route).get("parents") or []):
            return None
        try:
            body = {"status": {"parents": wanted}}
            await self.client.patch(_KINDS[where[0]], name(route), body, namespace(route), sub="status")
        except NotFound:
            log.info("route vanished before its status was written", route=title(route))
        return None


def _spec(service: Object | None) -> object:
    return (service or {}).get("spec")
