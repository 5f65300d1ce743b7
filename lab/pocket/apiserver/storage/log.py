"""The durable log: one SQLite table of revisions, written before anything is acknowledged.

Only storage/store.py uses it. One INSERT is one transaction. WAL with synchronous=NORMAL keeps every
committed row through the death of the process. It does not wait for the disk: when the whole machine loses
power, the last rows may be gone, and what is left is whole. It knows nothing about objects: keys and bytes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import LabError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS log_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
"""

_COMPACT = """
DELETE FROM log WHERE revision <= :floor AND (deleted = 1 OR EXISTS (
    SELECT 1 FROM log AS newer WHERE newer.key = log.key AND newer.revision > log.revision
    AND newer.revision <= :floor))
"""


_OPEN_SECONDS = 2.0  # a server that is being stopped may still hold the file


class StoreFailed(LabError):
    """The file cannot be opened, read or written; the message names it, the remedy says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    revision: int
    key: str
    deleted: bool
    value: bytes


class Log:
    """Append-only rows; `compact` forgets what no reader after `floor` can ask for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _explained(path):
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_OPEN_SECONDS
            )
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._check()
            self._db.executescript(_SCHEMA)
            self.floor = self._meta("floor")
            self.last = max(self._meta("last"), self.floor)

    def _check(self) -> None:
        found = [row[0] for row in self._db.execute("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise _damaged(self._path, "; ".join(found))

    def _meta(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def rows(self) -> Iterator[Row]:
        with _explained(self._path):
            for revision, key, deleted, value in self._db.execute(
                "SELECT revision, key, deleted, value FROM log ORDER BY revision"
            ):
                yield Row(revision, key, bool(deleted), value)

    def append(self, row: Row) -> None:
        """Returns only when the row is committed. Raises StoreFailed when it is not."""
        with _explained(self._path):
            self._db.execute(
                "INSERT INTO log (revision, key, deleted, value) VALUES (?, ?, ?, ?)",
                (row.revision, row.key, int(row.deleted), row.value),
            )
        self.last = row.revision

    def compact(self, floor: int) -> None:
        """All or nothing. Raises StoreFailed; the rows are then as they were, and so is the floor."""
        with _explained(self._path):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(_COMPACT, {"floor": floor})
                # The head is remembered: the newest row may be a deletion that compaction removes.
                for name, value in (("floor", floor), ("last", self.last)):
                    self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:  # rows appended inside it would not be committed
                    self._db.execute("ROLLBACK")
        self.floor = floor

    def close(self) -> None:
        self._db.close()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors as a StoreFailed that says what they mean for whoever runs this server."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreFailed(
                f"{path} is in use by another API server",
                remedy="stop that one, or give this one a data folder of its own",
            ) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise _damaged(path, str(error)) from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreFailed(
                f"nothing can be written to {path}: {error}",
                remedy="free space on its disk; everything acknowledged so far is kept",
            ) from error
        raise StoreFailed(
            f"{path} cannot be used: {error}", remedy="see that its folder exists and can be written"
        ) from error


def _damaged(path: Path, seen: str) -> StoreFailed:
    return StoreFailed(
        f"{path} is damaged: {seen}",
        remedy=f"put back a copy, or move {path.name}* out of the folder to start with an empty cluster",
    )
