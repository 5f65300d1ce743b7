"""An image that stands for registry:3: a shell and this machine's registry of the same project."""

import io
import shutil
import tarfile
from pathlib import Path

from tests.kind.node_image import add, add_busybox, libraries

TAG = "lab.test/registry:1"
PROGRAM = "docker-registry"
"""Debian's name for it."""


def archive() -> bytes:
    """The image's files."""
    buffer = io.BytesIO()
    program = Path(shutil.which(PROGRAM) or "")
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add_busybox(tar, ("sh", "sleep", "ls"))
        for name, file in {"bin/registry": program, **libraries([program])}.items():
            add(tar, name, file.read_bytes())
    return buffer.getvalue()
