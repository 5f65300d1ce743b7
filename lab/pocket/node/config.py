"""What a node must be told: its name, addresses, folders and the way to its API server.

The engine fills it in; everything under `lab.pocket.node` reads it. It holds no behaviour.
"""

from dataclasses import dataclass
from pathlib import Path

FAILING_DNS_PORT = 5354
"""Where a node's DNS answers every query with SERVFAIL: for failures on purpose, which lead queries here."""


@dataclass(frozen=True)
class NodeConfig:
    """One cluster's only node."""

    cluster: str
    name: str
    ip: str
    pod_cidr: str
    dns_ip: str
    kubelet_socket: Path
    """The unix socket of the kubelet API; it may be longer than a socket address can be."""
    pods_dir: Path
    """One folder per pod uid below it: volumes, logs, generated files."""
    ca_file: Path
    """The certificate authority of the API server, shown to pods as `ca.crt`."""
    api_host: str
    api_port: int = 443
    cluster_domain: str = "cluster.local"
    memory_dir: Path | None = None
    """A folder on a tmpfs for `emptyDir` volumes with medium Memory; without one they live in `pods_dir`."""
    many_users: bool = True
    """False in a lab of an ordinary user: containers can only be root there, which is that user outside."""
    why_no_limits: str = ""
    """Why resource limits are not enforced; empty when they are."""
    dns_port: int = 53
    failing_dns_port: int = FAILING_DNS_PORT
    zone: str = ""
    """The value of the zone label; empty = the cluster's name."""

    @property
    def claims_dir(self) -> Path:
        """The folders of PersistentVolumeClaims, beside those of the pods that they outlive."""
        return self.pods_dir.with_name("claims")
