"""The durable log: one SQLite table of revisions, written before anything is acknowledged.

Only storage/store.py uses it. One INSERT is one transaction; WAL with synchronous=NORMAL keeps every
committed row through a killed process. It knows nothing about objects: keys and bytes.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Row:
    revision: int
    key: str
    deleted: bool
    value: bytes


class Log:
    """Append-only rows; `compact` forgets what no reader after `floor` can ask for."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self.floor = self._meta("floor")
        self.last = max(self._meta("last"), self.floor)

    def _meta(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def rows(self) -> Iterator[Row]:
        for revision, key, deleted, value in self._db.execute(
            "SELECT revision, key, deleted, value FROM log ORDER BY revision"
        ):
            yield Row(revision, key, bool(deleted), value)

    def append(self, row: Row) -> None:
        """Returns only when the row is committed."""
        self._db.execute(
            "INSERT INTO log (revision, key, deleted, value) VALUES (?, ?, ?, ?)",
            (row.revision, row.key, int(row.deleted), row.value),
        )
        self.last = row.revision

    def compact(self, floor: int) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(_COMPACT, {"floor": floor})
            # The head is remembered: the newest row may be a deletion that compaction removes.
            for name, value in (("floor", floor), ("last", self.last)):
                self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        self.floor = floor

    def close(self) -> None:
        self._db.close()
