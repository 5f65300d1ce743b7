"""Which remote Service (namespace, name) must be looked at again when something changes, here or there."""

from collections.abc import Callable

from lab.controlplane.mirror import desired, federated
from lab.controlplane.mirror.view import View
from lab.kube.objects import Key, Object, is_deleting, key, name, namespace


class Keys:
    """Turns changes seen by a view's informers into keys for the reconciler."""

    def __init__(self, view: View, enqueue: Callable[[Key], None]) -> None:
        self._view, self._enqueue = view, enqueue

    def subscribe(self) -> None:
        """Follow all informers from now on."""
        self._view.remote_services.subscribe(self._enqueue_remote)
        self._view.remote_endpoints.subscribe(self._enqueue_remote)
        self._view.local.services.subscribe(self._enqueue_mirror)
        self._view.local.endpoints.subscribe(self._enqueue_mirror)
        self._view.local.namespaces.subscribe(self._enqueue_namespace)

    def _enqueue_remote(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        remote = self._view.remote_services.items.get(key(obj))
        if self._view.concerns(remote) or self._view.concerns(old) or self._has_mirror(key(obj)):
            self._enqueue(key(obj))

    def _enqueue_mirror(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        if desired.is_mark_of(obj, self._view.link) and (
            remote := desired.remote_name_of(obj, self._view.link)
        ):
            self._enqueue((namespace(obj), remote))
        for member in federated.members(obj):
            service, _, cluster = member.partition("@")
            if cluster == self._view.link.cluster:
                self._enqueue((namespace(obj), service))

    def _enqueue_namespace(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and is_deleting(old) == is_deleting(new):
            return
        for remote in self._view.remote_services.list(name(new or old or {})):
            if self._view.concerns(remote):
                self._enqueue(key(remote))

    def enqueue_all(self) -> None:
        """Everything exported, and every mirror there is."""
        for remote in self._view.remote_services.list():
            if self._view.concerns(remote):
                self._enqueue(key(remote))
        for mirror in self._view.local.services.list():
            self._enqueue_mirror(None, mirror)

    def _has_mirror(self, remote: Key) -> bool:
        return (remote[0], desired.mirror_name(remote[1], self._view.link)) in self._view.local.services.items
