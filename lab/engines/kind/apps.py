"""The image of the demo apps: how Docker builds it from this installation, and a name that says of what.

Reads the package's own files and changes nothing. The content is part of one of its names, so an image that
is there is also the right one, in Docker as in a node.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent.parent
NAME = "multicluster.lab/apps"
PODS_TAG = f"{NAME}:dev"
"""What manifests say."""
DOCKERFILE = PACKAGE / "apps" / "Dockerfile"
REQUIREMENTS = ("aiohttp", "cryptography", "grpcio", "protobuf")
"""What the programs import; installed in the versions that are installed here."""


@dataclass(frozen=True)
class AppsImage:
    """`tag` is the name of exactly this content; `build` are the arguments of `docker` that make it."""

    tag: str
    build: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, str]:
        """Both names: the one that tells contents apart, and the one that pods ask for."""
        return self.tag, PODS_TAG


def apps_image(base: str | None = None) -> AppsImage:
    """The image of this installation, from the pinned image of Python or another one."""
    wanted = " ".join(f"{name}=={version(name)}" for name in REQUIREMENTS)
    arguments = [f"--build-arg=REQUIREMENTS={wanted}", *([f"--build-arg=BASE={base}"] if base else [])]
    digest = hashlib.sha256("\n".join(arguments).encode())
    for file in _files():
        digest.update(f"\n{file.relative_to(PACKAGE)}\n".encode() + file.read_bytes())
    tag = f"{NAME}:{digest.hexdigest()[:16]}"
    return AppsImage(tag, ("build", f"--tag={tag}", *arguments, f"--file={DOCKERFILE}", str(PACKAGE)))


def _files() -> Iterator[Path]:
    """What goes into the image, in a fixed order."""
    yield DOCKERFILE
    yield PACKAGE / "__init__.py"
    for folder in ("apps", "base"):
        yield from sorted((PACKAGE / folder).rglob("*.py"))
