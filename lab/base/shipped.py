"""Where the files are that ship beside the code: topologies and manifests.

In a checkout they are the top-level folders; a wheel installs them into the environment's share folder.
"""

import sysconfig
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_INSTALLED = Path(sysconfig.get_path("data")) / "share" / "multicluster-lab"
_ROOT = _CHECKOUT if (_CHECKOUT / "topologies").is_dir() else _INSTALLED

TOPOLOGIES = _ROOT / "topologies"
MANIFESTS = _ROOT / "manifests"


def topology(word: str) -> Path:
    """A topology file: the path itself, or the shipped file of that name (with or without .yaml)."""
    path = Path(word)
    named = TOPOLOGIES / (word if word.endswith(".yaml") else f"{word}.yaml")
    return named if not path.is_file() and named.exists() else path


def names(folder: str = "") -> list[str]:
    """The names of the shipped topologies in one of their folders; at the top if there is no such folder."""
    inside = TOPOLOGIES / folder
    inside = inside if inside.is_relative_to(TOPOLOGIES) and inside.is_dir() else TOPOLOGIES
    return sorted(str(path.relative_to(TOPOLOGIES).with_suffix("")) for path in inside.glob("*.yaml"))
