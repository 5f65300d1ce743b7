"""The lab's kubeconfig: one context `<lab>-<cluster>` per cluster, with its administrator's certificate."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.base.state import LabDir, write_private


def write(lab: LabDir, ports: Mapping[str, int]) -> None:
    """Write it for these clusters; the first one's context is the current one."""
    write_private(lab.kubeconfig, yaml.safe_dump(document(lab, ports), sort_keys=False))


def document(lab: LabDir, ports: Mapping[str, int]) -> dict[str, Any]:
    """The file's content. Keys are embedded, so the file works wherever it is copied."""
    contexts = {lab.context(cluster): cluster for cluster in ports}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(contexts), ""),
        "clusters": [
            {
                "name": context,
                "cluster": {
                    "server": f"https://127.0.0.1:{ports[cluster]}",
                    "certificate-authority-data": _data(lab.cluster(cluster).pki / "ca.crt"),
                },
            }
            for context, cluster in contexts.items()
        ],
        "users": [
            {"name": context, "user": client_certificate(lab.cluster(cluster).pki, "admin")}
            for context, cluster in contexts.items()
        ],
        "contexts": [
            {"name": context, "context": {"cluster": context, "user": context}} for context in contexts
        ],
    }


def client_certificate(pki: Path, stem: str) -> dict[str, str]:
    """The user part of a kubeconfig for one of the cluster's client certificates."""
    return {
        "client-certificate-data": _data(pki / f"{stem}.crt"),
        "client-key-data": _data(pki / f"{stem}.key"),
    }


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
