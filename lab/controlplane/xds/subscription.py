"""What one proxy has asked for and been sent of one resource type (incremental xDS). Pure.

Requests come in by `apply`, differences go out by `changes`. Sent means sent: a proxy that refuses a
resource gets it again only when its content changes, so a bad resource cannot make a loop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lab.controlplane.xds.resources import Resource, ResourceSet

EVERYTHING = "*"


@dataclass(frozen=True)
class Changes:
    """What a response must carry; falsy when there is nothing to say."""

    updated: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.updated or self.removed)


@dataclass
class Subscription:
    """The state of one type on one stream."""

    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    sent: dict[str, str] = field(default_factory=dict)
    waiting_for: str = ""
    _answered: ResourceSet | None = None
    _absent: set[str] = field(default_factory=set)

    @classmethod
    def opened(cls, subscribed: Iterable[str], known: Mapping[str, str]) -> "Subscription":
        """From the first request of a type: no names means everything; `known` is what it still has."""
        names = list(subscribed)
        found = cls(wildcard=not names)
        found.apply(names, ())
        found.sent = dict(known)
        return found

    def apply(self, subscribed: Iterable[str], unsubscribed: Iterable[str]) -> None:
        """Take in a later request. A name that is asked for again is sent again."""
        for name in subscribed:
            if name == EVERYTHING:
                self.wildcard = True
            else:
                self.names.add(name)
                self.sent.pop(name, None)
                self._absent.discard(name)
            self._answered = None
        for name in unsubscribed:
            if name == EVERYTHING:
                self.wildcard = False
            self.names.discard(name)
            self.sent.pop(name, None)
            self._absent.discard(name)

    def repeat(self, names: Iterable[str]) -> None:
        """Send these again although the proxy has them."""
        for name in self.names.intersection(names):
            self.sent.pop(name, None)
            self._answered = None

    def changes(self, resources: ResourceSet, *, keep: bool = False) -> Changes:
        """What the proxy lacks of `resources`, and what it has too much unless it shall `keep` that; does not
        mark it as sent.
        """
        if resources is self._answered:
            return Changes()
        wanted: Iterable[str] = resources if self.wildcard else self.names
        updated = tuple(
            resources[name]
            for name in wanted
            if name in resources and self.sent.get(name) != resources[name].version
        )
        gone = [name for name in self.sent if name not in resources and not keep]
        known = {*self._absent, *(self.sent if keep else ())}
        never = [name for name in self.names if name not in resources and name not in known]
        return Changes(updated, tuple(dict.fromkeys([*gone, *never])))

    def record(self, changes: Changes, resources: ResourceSet | None) -> None:
        """Mark changes as sent; with them the proxy has just `resources` (None: perhaps more)."""
        for found in changes.updated:
            self.sent[found.name] = found.version
            self._absent.discard(found.name)
        for name in changes.removed:
            self.sent.pop(name, None)
            self._absent.add(name)
        self._answered = resources
