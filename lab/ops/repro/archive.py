"""Unpacks a bundle, which anybody may have made: only what `lab repro` reads, and no more than a bundle has.

What a bundle never holds (links, devices, paths that lead out, files beyond its limits, YAML that refers to
itself) ends the command; nothing in here is executed or interpreted.
"""

import gzip
import hashlib
import json
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lab.base.errors import UsageError
from lab.base.state import make_private
from lab.ops.bundle.portable import FILES
from lab.ops.bundle.staging import FILE_LIMIT, FORMAT, MANIFEST, TOTAL_LIMIT

READ = frozenset(
    {"topology.yaml", MANIFEST, "ledger.json", "status.json", "versions.json", "run/verdict.json"}
)
"""Files that are read, besides those below `files/`; all others stay packed."""
SLACK = 64 << 20
"""Bytes that an archive may have besides the content of its files: headers and padding."""
NOTE = 200
"""Bytes that a file which was cut may have more than the limit: what says so."""
LONGEST_PATH = 300
BLOCK = 1 << 16


class _Bounded(gzip.GzipFile):
    """Ends who would read more than a bundle can be: any amount of zeros packs into a small archive."""

    left = TOTAL_LIMIT + SLACK

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.left -= len(data)
        if self.left < 0:
            raise ValueError("it unpacks to more than a bundle ever has")
        return data


def unpack(file: Path, folder: Path) -> dict[str, Any]:
    """Put what is needed of a bundle into a folder and return its manifest. Raises UsageError that names the
    file for what is no bundle, a damaged one, and one that would do harm.
    """
    remedy = f"is it what `lab bundle` wrote, and whole? `tar -tzf {file}` lists a bundle"
    try:
        with (
            file.open("rb") as packed,
            _Bounded(fileobj=packed) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            found = _extracted(archive, folder)
            while stream.read(BLOCK):
                pass  # to the end, where the checksum is
        return _checked(found, folder)
    except FileNotFoundError:
        raise UsageError(f"no bundle {file}", remedy="`lab bundle` makes one") from None
    except IsADirectoryError:
        raise UsageError(f"{file} is a folder", remedy="give the .tar.gz that `lab bundle` wrote") from None
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise UsageError(f"{file} is no bundle, or only a part of one: {error}", remedy=remedy) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{file} cannot be taken for a bundle: {said}", remedy=remedy) from error


def _extracted(archive: tarfile.TarFile, folder: Path) -> dict[str, str]:
    """SHA-256 by path of every file that was unpacked."""
    found: dict[str, str] = {}
    for member in archive:
        path = "/".join(PurePosixPath(member.name).parts[1:])
        if member.isdir() or not (path in READ or path.startswith(f"{FILES}/")):
            continue
        if ".." in path.split("/") or not path.isprintable():
            raise ValueError(f"it has a path that leads elsewhere: {member.name!r}")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise ValueError(f"{path!r} in it is no plain file")
        if member.size > FILE_LIMIT + NOTE or len(path) > LONGEST_PATH:
            raise ValueError(f"{path[:LONGEST_PATH]!r} in it is larger than anything in a bundle")
        if path in found or any(path.startswith(f"{one}/") for one in found):
            raise ValueError(f"{path!r} is in it twice")
        content = archive.extractfile(member)
        assert content is not None, "a plain file has a content"
        data = content.read()
        target = folder / path
        make_private(target.parent)
        target.write_bytes(data)
        target.chmod(0o700 if member.mode & 0o100 else 0o600)
        found[path] = hashlib.sha256(data).hexdigest()
    return found


def _checked(found: dict[str, str], folder: Path) -> dict[str, Any]:
    """The manifest, once every file is what it says and no YAML in it unfolds to more than it is."""
    if MANIFEST not in found:
        raise ValueError(f"there is no {MANIFEST} in it")
    manifest = json.loads((folder / MANIFEST).read_bytes())
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), list):
        raise ValueError(f"its {MANIFEST} is not that of a bundle")
    if manifest.get("format") != FORMAT:
        raise ValueError(f"it has format {manifest.get('format')!r}, and this lab knows format {FORMAT}")
    listed = {str(row.get("path")): row.get("sha256") for row in manifest["files"] if isinstance(row, dict)}
    for path, digest in found.items():
        if path != MANIFEST and listed.get(path) != digest:
            raise ValueError(f"{path} in it is not the file that was packed")
        if path.endswith((".yaml", ".yml")):
            _plain(path, (folder / path).read_bytes())
    return manifest


def _plain(path: str, text: bytes) -> None:
    """A bundle's YAML has no aliases: a few lines of them can stand for more than fits into memory."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.CSafeLoader)):
        raise ValueError(f"{path} in it has YAML aliases, which a bundle never has")
