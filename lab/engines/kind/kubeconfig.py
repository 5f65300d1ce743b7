"""The lab's two kubeconfigs, made of what the nodes hold.

One is for this machine, with the port that Docker publishes. The other has the nodes' own addresses.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from lab.base.state import LabDir, write_private
from lab.engines.kind.nodes import Node
from lab.kube.kubeconfig import entries, entry, merged

API_PORT = 6443
Admin = Mapping[str, Any]
"""A cluster's administrator file, as kubeadm leaves it on the control plane."""


def write(lab: LabDir, admins: Mapping[str, Admin], servers: Mapping[str, tuple[str, str]]) -> None:
    """Write both. `servers` has each cluster's URLs: from here, and from the others. A cluster that is paused
    or down has no administrator file now, and keeps what it had."""
    for index, path in enumerate((lab.kubeconfig, lab.inside_kubeconfig)):
        before, found = entries(path), {}
        for cluster, urls in servers.items():
            context = lab.context(cluster)
            if cluster in admins:
                found[context] = _entry(context, urls[index], admins[cluster])
            elif context in before:
                found[context] = before[context]
        write_private(path, yaml.safe_dump(merged(found), sort_keys=False))


def moved(lab: LabDir, clusters: Mapping[str, tuple[Node, ...]]) -> frozenset[str]:
    """Clusters whose control plane has another address now than the others were told."""
    known = entries(lab.inside_kubeconfig)
    told = {
        name: str(known[lab.context(name)]["cluster"]["cluster"]["server"])
        for name in clusters
        if lab.context(name) in known
    }
    return frozenset(
        name
        for name, url in told.items()
        if (address := clusters[name][0].address) and url != api_url(address)
    )


def api_url(address: str) -> str:
    """Where other clusters reach the API server of a control plane."""
    return f"https://{address}:{API_PORT}"


def _entry(context: str, server: str, admin: Admin) -> dict[str, Any]:
    authority = admin["clusters"][0]["cluster"]["certificate-authority-data"]
    return entry(context, server, authority, admin["users"][0]["user"])
