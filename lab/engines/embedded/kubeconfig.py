"""The lab's kubeconfigs: one context `<lab>-<cluster>` per cluster, with its administrator's certificate."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.base.state import LabDir, write_private
from lab.kube.kubeconfig import entry, merged


def write(lab: LabDir, servers: Mapping[str, tuple[str, str]]) -> None:
    """Write both files for these clusters; `servers` has each one's URLs: from here, and from the others."""
    for index, path in enumerate((lab.kubeconfig, lab.inside_kubeconfig)):
        urls = {cluster: both[index] for cluster, both in servers.items()}
        write_private(path, yaml.safe_dump(document(lab, urls), sort_keys=False))


def document(lab: LabDir, servers: Mapping[str, str]) -> dict[str, Any]:
    """A file's content. Keys are embedded, so the file works wherever it is copied."""
    return merged({lab.context(cluster): _entry(lab, cluster, url) for cluster, url in servers.items()})


def _entry(lab: LabDir, cluster: str, server: str) -> dict[str, Any]:
    pki = lab.cluster(cluster).pki
    return entry(lab.context(cluster), server, _data(pki / "ca.crt"), client_certificate(pki, "admin"))


def client_certificate(pki: Path, stem: str) -> dict[str, str]:
    """The user part of a kubeconfig for one of the cluster's client certificates."""
    return {
        "client-certificate-data": _data(pki / f"{stem}.crt"),
        "client-key-data": _data(pki / f"{stem}.key"),
    }


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
