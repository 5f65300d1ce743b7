"""Makes rows of the resource table: joins a kind with its defaults, validation and printer columns. Pure."""

from typing import Any

from lab.pocket.apiserver.defaults.table import DEFAULTS
from lab.pocket.apiserver.tables.columns import COLUMNS
from lab.pocket.apiserver.validate.kinds import VALIDATORS

from .model import Resource, no_change, no_default

RBAC = "rbac.authorization.k8s.io"
HOOKS = "admissionregistration.k8s.io"


def row(group: str, kind: str, plural: str, **more: Any) -> Resource:
    """One served version of a built-in kind; `more` are fields of `Resource`."""
    version = more.pop("version", "v1")
    more.setdefault("singular", kind.lower())
    return Resource(
        group,
        version,
        kind,
        plural,
        default=DEFAULTS.get((group, kind), no_default),
        validate=VALIDATORS.get((group, kind), no_change),
        columns=COLUMNS.get((group, kind), ()),
        **more,
    )
