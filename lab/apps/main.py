"""Entry point of the demo image: the first argument names the program.

The runtime calls `main` for every container of `multicluster.lab/apps`. Programs are imported late, so that
a pod pays only for what it runs (gRPC alone costs more memory than the rest together).
"""

import importlib
import sys
from collections.abc import Sequence

from lab.base import log

PROGRAMS = {
    "front": "lab.apps.front",
    "catalog": "lab.apps.catalog",
    "stock": "lab.apps.stock",
    "echo": "lab.apps.echo",
    "loadgen": "lab.apps.loadgen.program",
    "client": "lab.apps.client",
    "echo-advanced": "lab.apps.advanced.server",
    "echo-advanced-client": "lab.apps.advanced.client",
}


def main(argv: Sequence[str]) -> int:
    """Run the program named by `argv[0]`; exit code 2 tells which names exist."""
    if not argv or argv[0] not in PROGRAMS:
        asked = f"unknown program {argv[0]!r}" if argv else "no program named"
        sys.stderr.write(f"{asked}: the apps image runs one of {', '.join(sorted(PROGRAMS))}\n")
        return 2
    log.setup()
    module = importlib.import_module(PROGRAMS[argv[0]])
    code: int = module.main(list(argv[1:]))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
