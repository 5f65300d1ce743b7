"""Clusters that exist already, for labs that are guests in them: those of an embedded lab, as somebody's who
knows nothing of the guest.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lab.controlplane.identity.certificates import trust_anchor
from tests.lab.conftest import Cli, RunningLab

COMING_AND_GOING = (
    "events",
    "leases",
    "endpointslices",
    "endpoints",
    "pods",
    "replicasets",
    "controllerrevisions",
)


@dataclass(frozen=True)
class Host:
    """A running embedded lab; `folder` is where topologies of guests are written."""

    lab: RunningLab
    folder: Path

    @property
    def cli(self) -> Cli:
        return self.lab.cli

    def kubectl(self, *words: str) -> str:
        """What kubectl says in west, as its administrator."""
        return self.lab.kubectl("west", *words)

    def apply(self, obj: dict[str, Any]) -> None:
        """Apply an object in west, as kubectl does."""
        file = self.folder / "object.yaml"
        file.write_text(yaml.safe_dump(obj))
        self.kubectl("apply", "-f", str(file))

    def other_authority(self) -> str:
        """A certificate authority, as kubeconfigs have it, that has signed nothing here."""
        return base64.b64encode(trust_anchor("other", datetime.now(UTC)).certificate).decode()

    def kubeconfig(self, cluster: str) -> dict[str, Any]:
        """The kubeconfig with one cluster's context alone, called by the cluster's name."""
        document = yaml.safe_load(self.lab.dir.kubeconfig.read_text())
        name = f"{self.lab.name}-{cluster}"
        parts = {
            part: [one for one in document[part] if one["name"] == name] for part in ("clusters", "users")
        }
        context = {"name": cluster, "context": {"cluster": name, "user": name}}
        return {"apiVersion": "v1", "kind": "Config", **parts, "contexts": [context]}

    def topology(self, name: str, clusters: tuple[str, ...] = ("west",), **more: Any) -> str:
        """Write a guest's topology, with a kubeconfig of its own for each cluster."""
        rows = {}
        for cluster in clusters:
            file = self.folder / f"{name}-{cluster}.kubeconfig"
            file.write_text(yaml.safe_dump(self.kubeconfig(cluster)))
            rows[cluster] = {"kubeconfig": str(file)}
        document = {"name": name, "engine": "existing", "mesh": "none", "clusters": rows, **more}
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(document))
        return str(file)

    def edit(self, name: str, cluster: str, change: Any) -> None:
        """Change a guest's kubeconfig: `change` gets it as a mapping."""
        file = self.folder / f"{name}-{cluster}.kubeconfig"
        document = yaml.safe_load(file.read_text())
        change(document)
        file.write_text(yaml.safe_dump(document))

    def census(self, cluster: str) -> dict[str, str]:
        """Everything in a cluster that does not come and go by itself: KIND NAMESPACE/NAME -> uid."""
        served = self.lab.kubectl(cluster, "api-resources", "--verbs=list", "-o", "name").split()
        kinds = [kind for kind in served if kind.partition(".")[0] not in COMING_AND_GOING]
        listed = json.loads(self.lab.kubectl(cluster, "get", "-A", "-o", "json", ",".join(kinds)))["items"]
        found = {}
        for one in listed:
            meta = one["metadata"]
            where = "/".join(filter(None, (meta.get("namespace"), meta["name"])))
            found[f"{one['kind']} {where}"] = meta["uid"]
        return found
