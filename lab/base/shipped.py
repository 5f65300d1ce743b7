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
    return named if not path.exists() and named.exists() else path
