"""ClusterRoles that collect the rules of others: `aggregationRule` in, `rules` out."""

from collections.abc import Iterable
from typing import Any

from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import CLUSTER_ROLES
from lab.kube.objects import Object, is_deleting, labels, name, resource_version
from lab.kube.reconcile import Reconciler
from lab.kube.selectors import from_label_selector
from lab.pocket.controllers.watches import Watches


def aggregated(role: Object, roles: Iterable[Object]) -> list[dict[str, Any]]:
    """The rules of all roles that a selector of `role` matches, by role name, each rule once. Pure."""
    selectors = [from_label_selector(s) for s in role["aggregationRule"].get("clusterRoleSelectors") or ()]
    found: list[dict[str, Any]] = []
    for other in sorted(roles, key=name):
        if name(other) != name(role) and any(s.matches(labels(other)) for s in selectors):
            found += [rule for rule in other.get("rules") or () if rule not in found]
    return found


class ClusterRoleAggregation:
    """One reconcile per ClusterRole with an aggregationRule, whenever any ClusterRole changes."""

    def __init__(self, client: Client, watches: Watches) -> None:
        self._client, self._roles = client, watches.cluster_roles
        self._reconciler: Reconciler[str] = Reconciler("clusterrole aggregation", self._reconcile)
        self._roles.subscribe(self._changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        for role in self._roles.list():
            if role.get("aggregationRule"):
                self._reconciler.enqueue(name(role))

    async def _reconcile(self, role_name: str) -> None:
        role = self._roles.get("", role_name)
        if role is None or is_deleting(role) or not role.get("aggregationRule"):
            return
        rules = aggregated(role, self._roles.list())
        if rules == (role.get("rules") or []):
            return
        patch = {"metadata": {"resourceVersion": resource_version(role)}, "rules": rules}
        try:
            await self._client.patch(CLUSTER_ROLES, role_name, patch)
        except NotFound:
            return
