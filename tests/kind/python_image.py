"""An image that stands for python:slim: this machine's Python with pip and what the demo apps import.

With everything that pip is asked for already there, the Dockerfile's own commands run without a network.
"""

import ensurepip
import io
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from lab.engines.kind.apps import REQUIREMENTS
from tests.kind.node_image import add, add_busybox, add_folder, libraries

TAG = "lab.test/python:1"
SMALL = "lab.test/python:small"
APPLETS = ("sh", "chmod", "printf", "id")
LEFT_OUT = ("test", "config-", "idlelib", "tkinter", "lib2to3", "site-packages", "__pycache__", "ensurepip")


def archive() -> bytes:
    """The image's files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add_busybox(tar, APPLETS)
        files = dict(_python())
        for name, file in {**files, **libraries(files.values())}.items():
            add(tar, name, file.read_bytes())
        (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
        with zipfile.ZipFile(wheel) as pip:
            for name in pip.namelist():
                add(tar, f"{_SITE}/{name}", pip.read(name))
    return buffer.getvalue()


def small() -> bytes:
    """An image in which python3 ends at once, for tests to which it matters only that an image is there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add_busybox(tar, APPLETS)
        add_folder(tar, "usr/local/bin")
        add(tar, "usr/local/bin/python3", b"#!/bin/sh\n")
    return buffer.getvalue()


_HOME = f"usr/local/lib/python3.{sys.version_info.minor}"
_SITE = f"{_HOME}/site-packages"


def _python() -> Iterator[tuple[str, Path]]:
    """Interpreter, standard library and packages, by their place in the image."""
    yield "usr/local/bin/python3", Path(sys.executable).resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    for file in standard.rglob("*"):
        parts = file.relative_to(standard).parts
        if file.is_file() and not any(part.startswith(LEFT_OUT) for part in parts[:-1]):
            yield f"{_HOME}/{'/'.join(parts)}", file
    for name in closure(REQUIREMENTS):
        for part in distribution(name).files or ():
            file = Path(str(part.locate()))
            if ".." not in part.parts and file.is_file():
                yield f"{_SITE}/{part}", file


def closure(names: tuple[str, ...]) -> set[str]:
    """The packages with all that they need here."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            needed = [Requirement(line) for line in distribution(name).requires or ()]
            waiting += [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    return found
