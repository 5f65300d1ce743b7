"""The pods of one kind of owner: found, claimed, made and deleted for its controller.

The informer's view lags behind; what this controller itself has just made or deleted is laid over it, so
that a reconcile never makes a pod twice.
"""

import time
from collections.abc import Callable

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.informer import Informer
from lab.kube.kinds import PODS
from lab.kube.objects import Key, Object, controller_of, is_deleting, key, labels, name, namespace, now, uid
from lab.pocket.controllers.claims import claim, selector_of, sort_out
from lab.pocket.events import Recorder

SEEN_WITHIN = 5.0
"""Seconds after which a pod we made but never saw is taken for lost."""


class OwnedPods:
    """Pods under `owners`; every change of one calls `enqueue` with the owner's key."""

    def __init__(
        self, client: Client, pods: Informer, owners: Informer, recorder: Recorder,
        enqueue: Callable[[Key], None],
    ) -> None:  # fmt: skip
        self._client, self._informer, self._owners = client, pods, owners
        self._recorder, self._enqueue = recorder, enqueue
        self._made: dict[str, tuple[Object, float]] = {}
        self._dropped: dict[str, str] = {}
        """Pod uid -> when we deleted it, until the informer tells."""
        pods.subscribe(self._changed)

    async def claim(
        self, owner: Object, is_candidate: Callable[[Object], bool] = lambda pod: True
    ) -> list[Object]:
        """The owner's pods among the candidates, after adopting and releasing what is due."""
        claims = sort_out(owner, filter(is_candidate, self.list(namespace(owner))))
        return await claim(self._client, (self._owners.kind, PODS), owner, claims)

    def list(self, space: str) -> list[Object]:
        """What the informer has, with what we know better."""
        at = time.monotonic()
        self._made = {k: (pod, made) for k, (pod, made) in self._made.items() if at - made < SEEN_WITHIN}
        known = {uid(pod): pod for pod in self._informer.list(space)}
        fresh = {k: pod for k, (pod, _) in self._made.items() if namespace(pod) == space}
        return [self._overlaid(pod) for pod in {**fresh, **known}.values()]

    async def create(self, owner: Object, pod: Object) -> Object:
        """Make one pod and tell so on the owner. Raises what the API server said, after telling that too."""
        try:
            if not selector_of(owner).matches(labels(pod)):  # it would be let go at once, and made again
                raise LabError("selector does not match the labels of the pod template")
            made = await self._client.create(PODS, pod, namespace(owner))
        except LabError as error:
            self._recorder.record(owner, "FailedCreate", f"Error creating: {error}", warning=True)
            raise
        if self._informer.get(namespace(made), name(made)) is None:
            self._made[uid(made)] = (made, time.monotonic())
        self._recorder.record(owner, "SuccessfulCreate", f"Created pod: {name(made)}")
        return made

    async def delete(self, owner: Object, pod: Object) -> None:
        """Delete one pod; one that is gone already is fine."""
        self._dropped[uid(pod)] = now()
        try:
            await self._client.delete(PODS, name(pod), namespace(pod), preconditions={"uid": uid(pod)})
        except NotFound:
            self._dropped.pop(uid(pod), None)
            return
        except LabError:
            self._dropped.pop(uid(pod), None)
            raise
        self._recorder.record(owner, "SuccessfulDelete", f"Deleted pod: {name(pod)}")

    def _overlaid(self, pod: Object) -> Object:
        since = self._dropped.get(uid(pod))
        if since is None:
            return pod
        return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": since}}

    def _changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        self._made.pop(uid(pod), None)
        if new is None or is_deleting(new):
            self._dropped.pop(uid(pod), None)
        owners = [controller_of(each) for each in (old, new) if each]
        for owner in owners:
            if owner and owner.get("kind") == self._owners.kind.kind:
                self._enqueue((namespace(pod), owner["name"]))
        if owners[-1] is None and new is not None:
            for candidate in self._owners.list(namespace(pod)):
                if selector_of(candidate).matches(labels(new)):
                    self._enqueue(key(candidate))
