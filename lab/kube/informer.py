"""A local copy of a collection that follows the API server, and tells subscribers what changed."""

import asyncio
from collections.abc import Callable

from lab.base.log import get_logger
from lab.kube.client import Client
from lab.kube.kinds import Kind
from lab.kube.objects import Key, Object, key
from lab.kube.watch import Scope, watch

log = get_logger(__name__)
Handler = Callable[[Object | None, Object | None], None]


class Informer:
    """`items` mirrors the collection from the moment `synced` is set; it survives server outages.

    While the server is away `items` keeps the last known state and `is_live` is false. Handlers get
    (old, new): old is None for an object that appeared, new is None for one that is gone.
    """

    def __init__(
        self, client: Client, kind: Kind, namespace: str = "", labels: str = "", fields: str = "",
        *, metadata_only: bool = False,
    ) -> None:  # fmt: skip
        self._client = client
        self._scope = Scope(kind, namespace, labels, fields, metadata_only)
        self._handlers: list[Handler] = []
        self.items: dict[Key, Object] = {}
        self.synced = asyncio.Event()
        self.answered = asyncio.Event()
        """Set once the server has given the collection, or has said that it has none of this kind."""
        self.is_live = False

    @property
    def kind(self) -> Kind:
        return self._scope.kind

    def subscribe(self, handler: Handler) -> None:
        """Call `handler` for every change from now on, and at once for each object already known."""
        self._handlers.append(handler)
        for obj in list(self.items.values()):
            handler(None, obj)

    def get(self, namespace: str, name: str) -> Object | None:
        return self.items.get((namespace, name))

    def list(self, namespace: str = "") -> list[Object]:
        """The objects of one namespace, or all."""
        return [obj for (ns, _), obj in self.items.items() if not namespace or ns == namespace]

    async def run(self) -> None:
        """Follow the collection until cancelled."""
        async for event in watch(self._client, self._scope):
            if event.type == "LISTED":
                self.is_live = True
                self.synced.set()
                self.answered.set()
            elif event.type == "LOST":
                self.is_live = False
            elif event.type == "ABSENT":
                self.is_live = False
                self.answered.set()
            elif event.type == "DELETED":
                old = self.items.pop(key(event.object), None)
                self._tell(old or event.object, None)
            else:
                old = self.items.get(key(event.object))
                self.items[key(event.object)] = event.object
                self._tell(old, event.object)

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:  # one object's fault must not stop the others; logged whole
                log.exception("handler broke", kind=self.kind.plural, key=key(new or old or {}))


async def run_all(*informers: Informer) -> None:
    """Run several informers until cancelled; one that ends by a fault of ours ends them all."""
    async with asyncio.TaskGroup() as group:
        for informer in informers:
            group.create_task(informer.run())


async def all_synced(*informers: Informer) -> None:
    """Return once every informer has its first complete list."""
    for informer in informers:
        await informer.synced.wait()


async def all_answered(*informers: Informer) -> None:
    """The same for kinds that may not be installed: those that the server does not have are complete too."""
    for informer in informers:
        await informer.answered.wait()
