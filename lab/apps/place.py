"""Where a demo program runs: cluster, namespace and pod, as the pod's environment tells it.

Every reply of the demo apps starts with these fields; that is how traffic shows which cluster answered.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    cluster: str
    namespace: str
    pod: str

    def fields(self) -> dict[str, str]:
        return {"cluster": self.cluster, "namespace": self.namespace, "pod": self.pod}


def from_env(env: Mapping[str, str]) -> Place:
    """Read the downward API's variables; outside a pod the host name stands for the pod."""
    return Place(
        cluster=env.get("LAB_CLUSTER", ""),
        namespace=env.get("POD_NAMESPACE", ""),
        pod=env.get("POD_NAME") or socket.gethostname(),
    )
