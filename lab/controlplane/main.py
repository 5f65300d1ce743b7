"""The control plane's one image: picks the program by its first argument and imports nothing else."""

import sys
from collections.abc import Sequence
from importlib import import_module

PROGRAMS = {
    "identity": "lab.controlplane.identity.main",
    "destination": "lab.controlplane.destination.main",
    "proxy-injector": "lab.controlplane.inject.main",
    "service-mirror": "lab.controlplane.mirror.main",
    "local-service-mirror": "lab.controlplane.mirror.local",
    "failover": "lab.controlplane.failover.main",
    "proxy-init": "lab.controlplane.inject.capture",
}


def main(argv: Sequence[str]) -> int:
    """Run a program with the remaining arguments; returns its exit code."""
    name = argv[0] if argv else ""
    if name not in PROGRAMS:
        sys.stderr.write(f"unknown program {name!r}; one of: {', '.join(PROGRAMS)}\n")
        return 2
    code: int = import_module(PROGRAMS[name]).main(list(argv[1:]))
    return code
