"""The names and labels by which objects of this engine are found again. Pure.

kind labels its containers with the name of their cluster and lets nobody add labels. So the network is what
says whose they are: it carries the lab's labels, and every node on it is a node of that lab.
"""

from lab.base.state import LabDir

LAB_LABEL = "multicluster-lab/lab"
FOLDER_LABEL = "multicluster-lab/folder"
"""The lab's folder: two users of one Docker may have labs of the same name."""
ROLE_LABEL = "multicluster-lab/role"
KIND_CLUSTER = "io.x-k8s.kind.cluster"
KIND_ROLE = "io.x-k8s.kind.role"
CONTROL_PLANE = "control-plane"


def network(lab: str) -> str:
    """The Docker network of a lab."""
    return f"multicluster-lab-{lab}"


def labels(lab: LabDir) -> dict[str, str]:
    """What marks an object as this lab's."""
    return {LAB_LABEL: lab.name, FOLDER_LABEL: str(lab.root)}


def kind_cluster(lab: str, cluster: str) -> str:
    """What kind calls a cluster of a lab."""
    return f"{lab}-{cluster}"


def cluster_of(lab: str, kind_name: str) -> str:
    """The lab's own name of one of its kind clusters."""
    return kind_name.removeprefix(f"{lab}-")


def control_plane(lab: str, cluster: str) -> str:
    """The container of a cluster's control plane, as kind names it."""
    return f"{kind_cluster(lab, cluster)}-{CONTROL_PLANE}"
