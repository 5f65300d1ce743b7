"""Reads the mesh's manifests, which are plain Kubernetes YAML that kubectl could apply as well."""

from functools import cache
from pathlib import Path

import yaml

from lab.base.errors import LabError
from lab.base.shipped import MANIFESTS
from lab.kube.objects import Object


@cache
def documents(folder: str) -> tuple[Object, ...]:
    """All objects in a folder of manifests, in file order; callers must not change them."""
    place = MANIFESTS / folder
    files = sorted(place.glob("*.yaml"))
    if not files:
        raise LabError(f"no manifests in {place}", remedy="the installation is incomplete; install it again")
    return tuple(obj for file in files for obj in _read(file))


def _read(file: Path) -> list[Object]:
    try:
        with file.open() as stream:
            return [obj for obj in yaml.load_all(stream, Loader=_loader()) if obj]
    except yaml.YAMLError as error:
        raise LabError(f"{file}: {error}") from error


def _loader() -> type[yaml.SafeLoader]:
    """The C loader where PyYAML has it; ten times as fast."""
    fast: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return fast
