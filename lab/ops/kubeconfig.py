"""The kubeconfig of a lab."""

from pathlib import Path

from lab.ops.labs import find


def kubeconfig(lab: str) -> Path:
    """Where it is. Raises NoSuchLab when the lab was never up."""
    return find(lab).dir.kubeconfig
