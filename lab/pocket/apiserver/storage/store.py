"""The store: current objects in memory, every change committed to the log before it is visible.

Verbs call it from the event loop; each method is one atomic step, so there are no locks. A write is
logged, then applied, then published; what `put` and `delete` return has been committed.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab.base.log import get_logger

from .log import Log, Row, StoreFailed
from .record import Change, Key, Object, Record, encode
from .watch import Gone, History, Subscription

log = get_logger(__name__)
HISTORY = 4096
"""Changes kept for watchers in memory, and at least that many on disk."""


class Exists(Exception):
    """A create met an existing object."""


class Stale(Exception):
    """The object is not at the revision the writer read."""


class Store:
    """`history` is how many changes a watcher may be behind; compaction follows it by half as many more."""

    def __init__(self, path: Path, history: int = HISTORY) -> None:
        self._log = Log(path)
        self._kept = history
        self._history = History(history)
        self._history.floor = self._log.floor
        self._objects: dict[str, dict[str, dict[str, Record]]] = {}
        self.head = self._log.last
        self._observers: dict[str, list[Callable[[Change], None]]] = {}
        for row in self._log.rows():
            self._replay(row)
        # A server that is killed again and again must compact all the same.
        self._since_compaction = max(self.head - self._log.floor - history, 0)

    def _replay(self, row: Row) -> None:
        record = Record(Key.parse(row.key), row.revision, row.value)
        previous = self.get(record.key)
        self._apply(record, row.deleted)
        self.head = max(self.head, row.revision)
        if row.revision > self._log.floor:
            self._history.append(_change(record, previous, row.deleted))

    def _apply(self, record: Record, deleted: bool) -> None:
        key = record.key
        names = self._objects.setdefault(key.prefix, {}).setdefault(key.namespace, {})
        if not deleted:
            names[key.name] = record
            return
        names.pop(key.name, None)
        if not names:
            del self._objects[key.prefix][key.namespace]

    def get(self, key: Key) -> Record | None:
        return self._objects.get(key.prefix, {}).get(key.namespace, {}).get(key.name)

    def iterate(self, prefix: str, namespace: str = "") -> Iterator[Record]:
        spaces = self._objects.get(prefix, {})
        if namespace:
            yield from spaces.get(namespace, {}).values()
            return
        for names in spaces.values():
            yield from names.values()

    def list(self, prefix: str, namespace: str = "") -> list[Record]:
        return sorted(self.iterate(prefix, namespace), key=lambda record: record.key)

    def list_at(self, prefix: str, namespace: str, revision: int) -> Sequence[Record]:
        """The list as it was at `revision`; raises Gone when history no longer reaches it."""
        found = {record.key: record for record in self.iterate(prefix, namespace)}
        for change in reversed(self._history.after(revision)):
            key = change.record.key
            if key.prefix != prefix or namespace not in ("", key.namespace):
                continue
            if change.previous is None:
                found.pop(key, None)
            else:
                found[key] = change.previous
        return [found[key] for key in sorted(found)]

    def put(self, key: Key, obj: Object, expected: int) -> Record:
        """Writes `obj`; `expected` is the revision it replaces, 0 when it must be new."""
        previous = self.get(key)
        if previous is not None and expected == 0:
            raise Exists
        if (previous.revision if previous else 0) != expected:
            raise Stale
        return self._write(key, obj, previous, deleted=False)

    def delete(self, key: Key, obj: Object, expected: int) -> Record:
        """Removes the object; `obj` is the last state that watchers are shown."""
        previous = self.get(key)
        if previous is None or previous.revision != expected:
            raise Stale
        return self._write(key, obj, previous, deleted=True)

    def _write(self, key: Key, obj: Object, previous: Record | None, *, deleted: bool) -> Record:
        revision = self.head + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        record = Record(key, revision, encode(obj))
        self._log.append(Row(revision, key.text(), deleted, record.raw))
        self.head = revision
        self._apply(record, deleted)
        change = _change(record, previous, deleted)
        for observer in self._observers.get(key.prefix, ()):
            observer(change)
        self._history.publish(change)
        if previous is not None:
            previous.supersede()
        self._since_compaction += 1
        if self._since_compaction >= self._kept // 2:
            self._tidy()
        return record

    def reread(self, prefix: str, change: Callable[[Object], None]) -> None:
        """Have the objects of a kind read as `change` makes them, at their revisions; nothing is written."""
        for record in list(self.iterate(prefix)):
            obj = record.copy()
            change(obj)
            if obj != record.obj:
                self._apply(Record(record.key, record.revision, encode(obj)), deleted=False)

    def _tidy(self) -> None:
        """Compaction after a write, which is committed by now and must not be reported as failed."""
        self._since_compaction = 0
        try:
            self.compact(self.head - self._kept)
        except StoreFailed as error:
            log.warning("compaction failed; the next one tries again", error=error, remedy=error.remedy)

    def compact(self, floor: int) -> None:
        """Forget what no watcher after `floor` can ask for. Raises StoreFailed with nothing changed."""
        if floor > self._log.floor:
            self._log.compact(floor)
            self._history.floor = max(self._history.floor, floor)

    def observe(self, prefix: str, observer: Callable[[Change], None]) -> None:
        """Have `observer` called within the step that commits a change; it must not write."""
        self._observers.setdefault(prefix, []).append(observer)

    def subscribe(self, prefix: str, namespace: str, after: int) -> Subscription:
        return self._history.subscribe(prefix, namespace, after)

    def drop_watchers(self, prefix: str = "") -> None:
        if prefix:
            self._history.drop_prefix(prefix)
        else:
            self._history.drop_all()

    def close(self) -> None:
        self._history.drop_all()
        self._log.close()


def _change(record: Record, previous: Record | None, deleted: bool) -> Change:
    if deleted:
        return Change("DELETED", record, previous)
    return Change("MODIFIED" if previous else "ADDED", record, previous)


__all__ = ["Exists", "Gone", "Stale", "Store", "StoreFailed"]
