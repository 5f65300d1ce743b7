"""The files that every container finds in /etc: hosts, resolv.conf and hostname.

Pure. The pod's folder keeps them; each container gets them mounted.
"""

from typing import Any

from lab.kube.objects import Object
from lab.pocket.node.config import NodeConfig


def hostname(pod: Object) -> str:
    """The pod's host name: its own wish, else its name, cut to what a host name may be."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def hosts(pod: Object, ip: str, domain: str) -> str:
    """/etc/hosts with the pod's own names and its hostAliases."""
    name, spec = hostname(pod), pod["spec"]
    own = f"{ip}\t{name}"
    if spec.get("subdomain"):
        own = f"{ip}\t{name}.{spec['subdomain']}.{pod['metadata']['namespace']}.svc.{domain}\t{name}"
    lines = [
        "# Written by the node.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        own,
    ]
    lines += [f"{a['ip']}\t{' '.join(a.get('hostnames') or ())}" for a in spec.get("hostAliases") or ()]
    return "\n".join(lines) + "\n"


def resolv_conf(pod: Object, config: NodeConfig) -> str:
    """/etc/resolv.conf by the pod's dnsPolicy and dnsConfig (ClusterFirst unless it is None)."""
    space, domain, spec = pod["metadata"]["namespace"], config.cluster_domain, pod["spec"]
    servers: list[str] = []
    search: list[str] = []
    options: dict[str, str | None] = {}
    if spec.get("dnsPolicy") != "None":
        servers = [config.dns_ip]
        search = [f"{space}.svc.{domain}", f"svc.{domain}", domain]
        options = {"ndots": "5"}
    own: dict[str, Any] = spec.get("dnsConfig") or {}
    servers += own.get("nameservers") or ()
    search += own.get("searches") or ()
    options |= {o["name"]: o.get("value") for o in own.get("options") or ()}
    lines = [f"nameserver {server}" for server in servers]
    if search:
        lines.append(f"search {' '.join(search)}")
    if options:
        lines.append("options " + " ".join(k if v is None else f"{k}:{v}" for k, v in options.items()))
    return "\n".join(lines) + "\n"
