"""Keeps one link's member in federated Services, as federated.py says."""

from lab.base.log import get_logger
from lab.controlplane.mirror import desired, federated
from lab.controlplane.mirror.headless import is_headless
from lab.controlplane.mirror.status import Board, Outcome
from lab.controlplane.mirror.view import View
from lab.controlplane.mirror.writer import NotOurs, Writer
from lab.kube.kinds import SERVICES
from lab.kube.objects import Key, Object, meta, name

log = get_logger(__name__)


class Members:
    """Reconciles by remote (namespace, name)."""

    def __init__(self, view: View, writer: Writer, board: Board) -> None:
        self._view, self._writer, self._board = view, writer, board

    async def reconcile(self, remote_key: Key, remote: Object | None) -> None:
        """Join or leave, as the remote Service's label says; 2.14 knew nothing of it."""
        if self._view.profile.version == "2.14":
            return
        existing = self._view.local.services.get(remote_key[0], federated.federated_name(remote_key[1]))
        if remote is None or not desired.is_member(remote, self._view.link):
            self._board.note(remote_key, None, federated=True)
            await self._leave(existing)
        elif is_headless(remote):
            outcome = Outcome("InvalidService", "a headless Service cannot be federated")
            self._board.note(remote_key, outcome, federated=True)
            await self._leave(existing)
        else:
            await self._join(remote_key, remote, existing)

    async def _join(self, remote_key: Key, remote: Object, existing: Object | None) -> None:
        frozen = "federated-ports-frozen" in self._view.profile.bugs
        leads = existing is None or (not frozen and self._is_oldest(existing))
        wanted = federated.join(existing, remote, self._view.link, is_oldest=leads)
        ours = existing is None or federated.is_federated(existing)
        try:
            if await self._writer.ensure(SERVICES, existing, wanted, is_ours=ours):
                link = self._view.link.name
                log.info("federated", link=link, namespace=remote_key[0], service=name(wanted))
        except NotOurs as error:
            self._board.note(remote_key, Outcome("Error", str(error)), federated=True)
            return
        self._board.note(remote_key, Outcome("Mirrored", local=name(wanted)), federated=True)

    async def _leave(self, existing: Object | None) -> None:
        if existing is None or self._view.link.cluster not in federated.clusters_of(existing):
            return
        left = federated.leave(existing, self._view.link.cluster)
        if left is None:
            await self._writer.remove(SERVICES, existing)
        else:
            await self._writer.ensure(SERVICES, existing, left)

    def _is_oldest(self, existing: Object | None) -> bool:
        clusters = set(federated.clusters_of(existing)) | {self._view.link.cluster}
        ages = [
            (str(meta(link).get("creationTimestamp", "")), name(link))
            for link in self._view.local.links.list()
            if (link.get("spec") or {}).get("targetClusterName") in clusters
        ]
        return not ages or min(ages)[1] == self._view.link.name
