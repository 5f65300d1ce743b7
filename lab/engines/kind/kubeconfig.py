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


def moved(lab: LabDir, clusters: Mapping[str, tuple[Node, ...]]) -> dict[str, str]:
    """Clusters whose API server others, or this machine, were told at another address than it has now; in
    words."""
    found = {}
    for path, who in ((lab.kubeconfig, "this machine was"), (lab.inside_kubeconfig, "other clusters were")):
        known = entries(path)
        for name, (head, *_) in clusters.items():
            if head.state not in ("running", "paused") or lab.context(name) not in known:
                continue
            told = str(known[lab.context(name)]["cluster"]["cluster"]["server"])
            now = local_url(head.api_port) if path == lab.kubeconfig else api_url(head.address)
            if told != now:
                found[name] = f"its API server is at {now} now, and {who} told {told}"
    return found


def local_url(port: int) -> str:
    """Where this machine reaches the API server of a control plane."""
    return f"https://127.0.0.1:{port}"


def api_url(address: str) -> str:
    """Where other clusters reach the API server of a control plane."""
    return f"https://{address}:{API_PORT}"


def _entry(context: str, server: str, admin: Admin) -> dict[str, Any]:
    authority = admin["clusters"][0]["cluster"]["certificate-authority-data"]
    return entry(context, server, authority, admin["users"][0]["user"])
