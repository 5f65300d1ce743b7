"""The files that every container finds in /etc: hosts, resolv.conf and hostname.

Pure. The pod's folder keeps them; each container gets them mounted.
"""

from typing import Any

from lab.base.errors import LabError
from lab.kube.objects import Object
from lab.pocket.node.config import NodeConfig


class BadHostname(LabError):
    """A pod whose host name cannot be set."""


FQDN_LIMIT = 64
"""Characters that the kernel takes as a host name."""
MOST_SERVERS = 3


def short_name(pod: Object) -> str:
    """The pod's own name on its network: its wish, else its name, cut to what a label may be."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def hostname(pod: Object, domain: str) -> str:
    """What the kernel calls the host: the short name, or all of it with setHostnameAsFQDN.

    Raises BadHostname when that is too long.
    """
    if not (pod["spec"].get("setHostnameAsFQDN") and pod["spec"].get("subdomain")):
        return short_name(pod)
    full = _full_name(pod, domain)
    if len(full) > FQDN_LIMIT:
        raise BadHostname(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
            f"({FQDN_LIMIT} characters is the max, {len(full)} characters requested)"
        )
    return full


def _full_name(pod: Object, domain: str) -> str:
    return f"{short_name(pod)}.{pod['spec']['subdomain']}.{pod['metadata']['namespace']}.svc.{domain}"


def hosts(pod: Object, ip: str, domain: str) -> str:
    """/etc/hosts with the pod's own names and its hostAliases."""
    name, spec = short_name(pod), pod["spec"]
    own = f"{ip}\t{_full_name(pod, domain)}\t{name}" if spec.get("subdomain") else f"{ip}\t{name}"
    lines = [
        "# Written by the node.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        own,
    ]
    lines += [f"{a['ip']}\t{' '.join(a.get('hostnames') or ())}" for a in spec.get("hostAliases") or ()]
    return "\n".join(lines) + "\n"


def resolv_conf(pod: Object, config: NodeConfig) -> str:
    """/etc/resolv.conf by the pod's dnsPolicy and dnsConfig.

    `Default` means the node's own resolver: in a lab that is the cluster's DNS too, which says at once
    that it does not know a name outside; but it comes without the search list of a cluster's pod.
    """
    space, domain, spec = pod["metadata"]["namespace"], config.cluster_domain, pod["spec"]
    servers: list[str] = []
    search: list[str] = []
    options: dict[str, str | None] = {}
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy != "None":
        servers = [config.dns_ip]
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        search = [f"{space}.svc.{domain}", f"svc.{domain}", domain]
        options = {"ndots": "5"}
    own: dict[str, Any] = spec.get("dnsConfig") or {}
    servers += own.get("nameservers") or ()
    search += own.get("searches") or ()
    options |= {o["name"]: o.get("value") for o in own.get("options") or ()}
    lines = [f"nameserver {server}" for server in list(dict.fromkeys(servers))[:MOST_SERVERS]]
    if search:
        lines.append(f"search {' '.join(dict.fromkeys(search))}")
    if options:
        lines.append("options " + " ".join(k if v is None else f"{k}:{v}" for k, v in options.items()))
    return "\n".join(lines) + "\n"
