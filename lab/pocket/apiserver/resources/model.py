"""What the server knows about one served kind: a row of the resource table.

Rows are data plus pure functions; resources/builtin.py holds the built-in ones, crd/ makes one per
served version of each CustomResourceDefinition. Verbs read rows and never test for a kind by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.pocket.apiserver.errors import Cause, Target

Object = dict[str, Any]

CRUD = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def no_default(obj: Object) -> None:
    """Nothing to fill in."""


def no_change(obj: Object, old: Object | None) -> list[Cause]:
    return []


def same(obj: Object) -> Object:
    return obj


@dataclass(frozen=True)
class Column:
    """One printed column; `wide` ones show with `-o wide`."""

    name: str
    cell: Callable[[Object], Any]
    type: str = "string"
    wide: bool = False
    format: str = ""
    description: str = ""


@dataclass(frozen=True)
class Scale:
    """Where replicas live, for the scale subresource; paths are dotted."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = "status.selector"
    labels: str = "spec.selector.matchLabels"  # where no path has the selector as text


@dataclass(frozen=True)
class Schema:
    """A custom resource's structural schema, ready to default, prune and validate."""

    raw: Object
    default: Callable[[Object], None]
    prune: Callable[[Object], list[str]]
    validate: Callable[[Object, Object | None], list[Cause]]

    def reshape(self, obj: Object) -> None:
        """Make an object that was stored under an earlier schema follow this one, in place."""
        self.prune(obj)
        self.default(obj)


@dataclass(frozen=True)
class Conversion:
    """Between the stored form and the served one (same object, two API versions)."""

    to_served: Callable[[Object], Object] = same
    to_stored: Callable[[Object], Object] = same


@dataclass(frozen=True)
class Resource:
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = CRUD
    default: Callable[[Object], None] = no_default
    validate: Callable[[Object, Object | None], list[Cause]] = no_change
    columns: Sequence[Column] = ()
    fields: Mapping[str, str] = field(default_factory=dict)  # field selector -> path, "" for its own
    scale: Scale | None = None
    schema: Schema | None = None
    storage_version: str = ""
    storage_group: str | None = None  # where it differs: events.k8s.io events are stored as core ones
    conversion: Conversion | None = None
    custom: bool = False
    list_kind: str = ""
    counts_generation: bool = True
    idle: str = ""  # what the lab does not do for this kind; every write is answered with it as a warning
    unconditional: bool = True  # an update may leave the resourceVersion out
    shows_deleted: bool = False  # a finished delete answers with the object, not with a Status
    creates_on_update: bool = False  # a PUT of a missing object creates it
    deprecated: str = ""  # what every use of this version is answered with, as a warning

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        group = self.group if self.storage_group is None else self.storage_group
        return f"{group}/{self.plural}"

    @property
    def stored_api_version(self) -> str:
        group = self.group if self.storage_group is None else self.storage_group
        version = self.storage_version or self.version
        return f"{group}/{version}" if group else version

    @property
    def list_kind_name(self) -> str:
        return self.list_kind or f"{self.kind}List"

    def has(self, subresource: str) -> bool:
        return subresource in self.subresources

    def target(self, name: str = "") -> Target:
        return Target(self.plural, self.group, name, self.kind)
