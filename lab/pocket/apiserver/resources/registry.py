"""Which resources are served right now: the built-in rows plus one per served CRD version.

The router, discovery, OpenAPI and RBAC-independent code look kinds up here. crd/serve.py adds and
removes custom rows; `generation` changes whenever the set does, so that caches can follow.
"""

from collections.abc import Iterable

from .model import Resource


class Registry:
    def __init__(self, rows: Iterable[Resource]) -> None:
        self._rows: dict[tuple[str, str, str], Resource] = {}
        self._custom: dict[str, list[Resource]] = {}
        self.generation = 0
        for row in rows:
            self._rows[row.group, row.version, row.plural] = row

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._rows.get((group, version, plural))

    def find_kind(self, group: str, version: str, kind: str) -> Resource | None:
        for row in self._rows.values():
            if (row.group, row.version, row.kind) == (group, version, kind):
                return row
        return None

    def find_any_version(self, group: str, plural: str) -> Resource | None:
        return next((row for row in self.all() if (row.group, row.plural) == (group, plural)), None)

    def all(self) -> list[Resource]:
        return list(self._rows.values())

    def groups(self) -> dict[str, list[str]]:
        """Group -> versions, preferred first."""
        found: dict[str, list[str]] = {}
        for row in self._rows.values():
            versions = found.setdefault(row.group, [])
            if row.version not in versions:
                versions.append(row.version)
        for versions in found.values():
            versions.sort(key=version_rank)
        return found

    def set_custom(self, owner: str, rows: list[Resource]) -> None:
        """Replace what the CRD named `owner` serves; an empty list stops serving it."""
        for row in self._custom.pop(owner, []):
            self._rows.pop((row.group, row.version, row.plural), None)
        for row in rows:
            self._rows[row.group, row.version, row.plural] = row
        if rows:
            self._custom[owner] = rows
        self.generation += 1


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sort key: v2, v1, v1beta2, v1beta1, v1alpha1, then other names (Kubernetes' version priority)."""
    import re

    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if not found:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), version)
