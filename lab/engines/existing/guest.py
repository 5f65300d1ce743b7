"""A client that behaves in somebody's cluster: it changes and removes what its lab made, and nothing else.

What a lab creates carries the lab's claim, as a label and as the field manager that created it. Both count: a
copy that somebody made of an object has the label, but was made by another manager. Whoever takes an object
over for good removes the label.
"""

from typing import Any, Self

from lab.base.errors import LabError
from lab.engines.existing.contexts import Found, is_local
from lab.kube import objects
from lab.kube.client import Client, Request
from lab.kube.errors import Conflict, Forbidden, NotFound, Unavailable
from lab.kube.kinds import CRDS, NAMESPACES, Kind
from lab.kube.kubeconfig import merged
from lab.kube.objects import Object

CLAIM_LABEL = "multicluster.lab/claim"
SHARED = (NAMESPACES, CRDS)
"""Kinds of which one that is there already is used as it is."""


class NotOurs(LabError):
    """An object is in the lab's way, and the lab did not make it."""


class Guest(Client):
    """A client of one existing cluster for the lab with this claim."""

    record = "multicluster-lab-guest"
    """Another one than that of the lab that the cluster may have been made by."""
    claim: str
    context: str

    @classmethod
    async def enter(cls, found: Found, claim: str) -> Self:
        """Connect as a context of the user's says."""
        guest = await cls.from_kubeconfig_data(merged({found.name: found.document(found.name)}))
        guest.claim, guest.context = claim, found.name
        return guest

    @property
    def manager(self) -> str:
        """The field manager of everything that the lab creates."""
        return f"multicluster-lab-{self.claim}"

    def uses_proxy(self, server: str) -> bool:
        return not is_local(server)

    def owns(self, obj: Object) -> bool:
        if objects.labels(obj).get(CLAIM_LABEL) != self.claim:
            return False
        fields = objects.meta(obj).get("managedFields") or []
        return any(f.get("manager") == self.manager and f.get("operation") == "Apply" for f in fields)

    async def apply(
        self, kind: Kind, obj: Object, *, manager: str = "", force: bool = True, sub: str = ""
    ) -> Object:
        """Create an object, or change one of the lab's. A namespace or definition of others is returned as it
        is; raises NotOurs for any other object of theirs. The manager is always the lab's."""
        if sub:
            return await super().apply(kind, obj, manager=self.manager, force=force, sub=sub)
        try:
            found = await self.get(kind, objects.name(obj), objects.namespace(obj))
        except NotFound:
            return await self._create(kind, obj)
        if self.owns(found):
            return await super().apply(kind, self._marked(obj), manager=self.manager, force=force)
        if kind in SHARED:
            return found
        raise self._in_the_way(kind, obj)

    async def _create(self, kind: Kind, obj: Object) -> Object:
        """Without force: what somebody has created since we looked is a conflict, and not taken over."""
        try:
            return await super().apply(kind, self._marked(obj), manager=self.manager, force=False)
        except Conflict as error:
            raise self._in_the_way(kind, obj) from error

    def _marked(self, obj: Object) -> Object:
        labels = {**objects.labels(obj), CLAIM_LABEL: self.claim}
        return {**obj, "metadata": {**obj["metadata"], "labels": labels}}

    def _in_the_way(self, kind: Kind, obj: Object) -> NotOurs:
        where = "/".join(part for part in (objects.namespace(obj), objects.name(obj)) if part)
        return NotOurs(
            f"{self.context}: {kind.kind} {where} is there, and this lab did not make it: it is left alone",
            remedy="remove it or use another cluster; `lab down` removes what the lab made so far",
        )

    async def open(self, request: Request) -> Any:
        """As Client does; errors say which context it was, and what usually is the matter."""
        try:
            return await super().open(request)
        except (Forbidden, Unavailable) as error:
            said = explained(self.context, error)
            raise type(error)(error.status, error.reason, str(said), remedy=said.remedy) from error


def explained(context: str, error: Forbidden | Unavailable) -> LabError:
    """The same error in the words of whoever has to put it right. Pure."""
    text = f"context {context}: {error}"
    again = f"`kubectl --context {context} get namespaces` must work first"
    if error.status == 401:
        return LabError(
            f"{text}: the server does not accept the credentials; they may have expired",
            remedy=f"log in again (the lab reads the kubeconfig anew each time); {again}",
        )
    if error.status == 403:
        return LabError(text, remedy=f"`kubectl --context {context} auth can-i --list` shows what you may do")
    if "certificate" in str(error).lower():
        why = "its certificate has expired, or is of another authority than the context names"
        return LabError(text, remedy=f"{why}; {again}")
    return LabError(text, remedy=f"is a VPN or a proxy needed, or the cluster stopped? {again}")
