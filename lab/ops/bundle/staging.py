"""The folder in which a bundle grows, and the one gate into it: what is written here has been redacted and
is bounded. Packed with the summary first, so that a reader of the stream sees it first.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lab.base.errors import LabError
from lab.base.state import make_private
from lab.ops.bundle.redact import Redactor

MANIFEST = "manifest.json"
FORMAT = 1
FILE_LIMIT = 8 << 20
"""Bytes of one file; of a longer text the end is kept."""
TOTAL_LIMIT = 256 << 20
"""Bytes of all files together, before compression; what comes after it is left out and named."""
LOG_TAIL = 512 << 10
"""Bytes of the end of a log that are kept."""


@dataclass(frozen=True)
class Missing:
    """A part that could not be had, and why."""

    part: str
    reason: str


@dataclass
class Staging:
    """A bundle's content so far."""

    root: Path
    redactor: Redactor
    say: Callable[[str, str], None]
    missing: list[Missing] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str, what: str = "") -> Iterator[None]:
        """Collect one part; what goes wrong in it is recorded, and the rest goes on."""
        self.say(name, what or "reading")
        try:
            yield
        except (LabError, OSError, ValueError, LookupError, TypeError) as error:
            self.miss(name, str(error) or type(error).__name__)

    def miss(self, part: str, reason: str) -> None:
        self.missing.append(Missing(part, self.redactor.text(" ".join(reason.split()))))
        self.say(part, f"could not be had: {reason}")

    def text(self, path: str, text: str, *, executable: bool = False) -> None:
        """A text as it is, but for secrets; of one that is too long the end."""
        self._write(path, self.redactor.text(text), executable=executable)

    def json(self, path: str, value: Any) -> None:
        self._write(path, json.dumps(self.redactor.value(value), indent=1, ensure_ascii=False) + "\n")

    def yaml(self, path: str, documents: Sequence[Any]) -> None:
        """Documents of one file, as kubectl takes them."""
        clean = [self.redactor.value(one) for one in documents]
        dump = yaml.dump_all(clean, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
        self._write(path, dump)

    def log(self, path: str, source: Path) -> None:
        """The end of a log file."""
        with source.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - LOG_TAIL))
            text = file.read().decode(errors="replace")
        if size > LOG_TAIL:
            text = f"[the first {size - LOG_TAIL} bytes are left out]\n" + text.partition("\n")[2]
        self.text(path, text)

    def _write(self, path: str, text: str, *, executable: bool = False) -> None:
        path = str(PurePosixPath(self.redactor.names(path)))
        data = text.encode(errors="replace")
        if len(data) > FILE_LIMIT:
            note = f"[the first {len(data) - FILE_LIMIT} bytes are left out]\n".encode()
            data = note + data[-FILE_LIMIT:].partition(b"\n")[2]
        if sum(self.sizes.values()) + len(data) > TOTAL_LIMIT:
            self.missing.append(Missing(path, f"the bundle has its {TOTAL_LIMIT >> 20} MiB without it"))
            return
        target = self.root / path
        make_private(target.parent)
        target.write_bytes(data)
        target.chmod(0o700 if executable else 0o600)
        self.sizes[path] = len(data)


def pack(root: Path, top: str, first: Sequence[str], target: Path) -> None:
    """All files below `root` as a .tar.gz with one folder `top`; those of `first` come first.

    Owners are left out, and so is the time of the archive's own making.
    """
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    ordered = [*first, *(name for name in names if name not in first)]
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in ordered:
            info = tarfile.TarInfo(f"{top}/{name}")
            data, mode = (root / name).read_bytes(), (root / name).stat().st_mode
            info.size, info.mode = len(data), 0o755 if mode & 0o100 else 0o644
            archive.addfile(info, io.BytesIO(data))


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file below `root`, by its path there."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
