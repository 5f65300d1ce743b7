"""The lab's two kubeconfigs, made of what the nodes hold.

One is for this machine, with the port that Docker publishes. The other has the nodes' own addresses.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from lab.base.state import LabDir, write_private
from lab.kube.kubeconfig import entries, entry, merged

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


def _entry(context: str, server: str, admin: Admin) -> dict[str, Any]:
    authority = admin["clusters"][0]["cluster"]["certificate-authority-data"]
    return entry(context, server, authority, admin["users"][0]["user"])
