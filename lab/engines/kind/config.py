"""A cluster of the plan → the configuration that kind makes it from. Pure."""

from dataclasses import asdict
from typing import Any

import yaml

from lab.engines.kind.names import control_plane, kind_cluster
from lab.plan.addresses import ClusterPlan, LabPlan
from lab.plan.desired import digest

LOOPBACK = "127.0.0.1"
# kubeadm merges this into its configuration. The list replaces kind's, so it repeats what that has; the
# node's address is put in by kubeadm itself, and again by the node when it comes back with another one.
_NAMES = """\
kind: ClusterConfiguration
apiServer:
  certSANs: [localhost, {loopback}, {node}]
"""


def document(plan: LabPlan, cluster: ClusterPlan, image: str) -> dict[str, Any]:
    """kind's v1alpha4 configuration: one control plane and as many workers as make up the nodes."""
    workers = plan.nodes.get(cluster.name, 1) - 1
    nodes: list[dict[str, Any]] = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(workers))]
    if image:
        nodes = [{**node, "image": image} for node in nodes]
    names = _NAMES.format(loopback=LOOPBACK, node=control_plane(plan.name, cluster.name))
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": kind_cluster(plan.name, cluster.name),
        "networking": {
            "apiServerAddress": LOOPBACK,
            "podSubnet": cluster.pod_cidr,
            "serviceSubnet": cluster.service_cidr,
        },
        "kubeadmConfigPatches": [names, *plan.kind.kubeadm],
        "nodes": nodes,
    }


def text(plan: LabPlan, cluster: ClusterPlan, image: str) -> str:
    """The same as the YAML file that kind reads, under the mark of what it was made from."""
    return f"{mark(plan, cluster)}\n{yaml.safe_dump(document(plan, cluster, image), sort_keys=False)}"


def mark(plan: LabPlan, cluster: ClusterPlan) -> str:
    """A line that differs when the cluster has to be made anew.

    The image that a kind release stands for is not in it: a new kind does not cost anybody a running lab.
    """
    options = plan.kind.model_dump(mode="json", include={"kubernetes", "image", "subnet", "kubeadm"})
    return f"# plan {digest([asdict(cluster), plan.nodes.get(cluster.name, 1), options])}"
