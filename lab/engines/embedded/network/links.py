"""Links, addresses and routes of the lab's network, over netlink.

The lab network is the bridge `lab0`; each cluster has a node namespace on it with the bridge `cni0` for its
pods. A pod's address is a /32 whose only neighbour is the gateway, so that all pod traffic passes the
node's nftables rules (a bridge would carry it past them). Every function can be repeated.
"""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pyroute2 import IPRoute

from lab.engines.embedded import namespaces as ns

LAB_BRIDGE = "lab0"
LAB_NETWORK = "172.28.0.0/16"
LAB_GATEWAY = "172.28.255.254"
POD_BRIDGE = "cni0"
SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv4/ip_local_port_range": "10240 65000",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    "bridge/bridge-nf-call-iptables": "0",  # else bridged packets pass the rules too
}
POD_SYSCTLS = {
    "ipv4/ip_local_port_range": "10240 65000",
    "ipv4/ip_unprivileged_port_start": "0",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
}


def make_namespace(name: str) -> None:
    """A named network namespace; this process is back in its own afterwards."""
    path = Path(ns.netns_path(name))
    path.touch()
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        ns.unshare(ns.NEWNET)
        ns.mount("/proc/self/ns/net", str(path), flags=ns.MS_BIND)
    finally:
        ns.setns(home, ns.NEWNET)
        os.close(home)


def remove_namespace(name: str) -> None:
    """Drop a named namespace; with its last process gone the kernel removes its links."""
    path = Path(ns.netns_path(name))
    if path.exists():
        ns.umount(str(path))
        path.unlink()


def write_sysctls(values: Mapping[str, str]) -> None:
    """Set kernel parameters of this network namespace; those this kernel lacks are skipped."""
    for name, value in values.items():
        path = Path("/proc/sys/net") / name
        if path.exists():
            path.write_text(value)


def make_lab_bridge() -> None:
    """The network that all nodes share, in the lab's root namespace."""
    write_sysctls(SYSCTLS)
    with IPRoute() as ip:
        bring_up(ip, "lo")
        if not ip.link_lookup(ifname=LAB_BRIDGE):
            add_bridge(ip, LAB_BRIDGE, LAB_GATEWAY, ipaddress.IPv4Network(LAB_NETWORK).prefixlen)
        bring_up(ip, LAB_BRIDGE)


def connect_node(node: str, ip_address: str, host_side: str) -> None:
    """Join a node namespace to the lab bridge as its `eth0`."""
    with open(ns.netns_path(node)) as target, IPRoute() as ip:
        for stale in ip.link_lookup(ifname=host_side):
            ip.link("del", index=stale)
        peer = {"ifname": "eth0", "net_ns_fd": target.fileno(), "address": mac_of(ip_address)}
        bridge = ip.link_lookup(ifname=LAB_BRIDGE)[0]
        ip.link("add", ifname=host_side, kind="veth", peer=peer, master=bridge, state="up")


def set_up_node(ip: IPRoute, node_ip: str, pod_cidr: str, dns_ip: str) -> None:
    """Addresses, pod bridge and routes inside a node namespace."""
    write_sysctls(SYSCTLS)
    bring_up(ip, "lo")
    give_address(ip, "eth0", node_ip, ipaddress.IPv4Network(LAB_NETWORK).prefixlen)
    bring_up(ip, "eth0")
    ip.route("replace", dst="0.0.0.0/0", gateway=LAB_GATEWAY)
    pods = ipaddress.IPv4Network(pod_cidr)
    add_bridge(ip, POD_BRIDGE, str(pods[1]), pods.prefixlen)
    bring_up(ip, POD_BRIDGE)
    give_address(ip, "lo", dns_ip, 32)  # not on a dummy link: many kernels come without that driver


def connect_pod(node: IPRoute, bridge: int, pod: str, address: str, gateway: str) -> None:
    """Give a pod's namespace its `eth0` on the node's pod bridge; called from inside that namespace."""
    write_sysctls(POD_SYSCTLS)
    with open("/proc/self/ns/net") as target, IPRoute() as ip:
        peer = {"ifname": "eth0", "net_ns_fd": target.fileno(), "address": mac_of(address)}
        host_side = f"v{secrets.token_hex(6)}"
        node.link("add", ifname=host_side, kind="veth", peer=peer, master=bridge, state="up")
        bring_up(ip, "lo")
        give_address(ip, "eth0", address, 32)
        index = bring_up(ip, "eth0")
        ip.route("add", dst=f"{gateway}/32", oif=index, scope=253)
        ip.route("add", dst="0.0.0.0/0", gateway=gateway, oif=index)


def set_pod_routes(ip: IPRoute, wanted: Mapping[str, str]) -> None:
    """Make the routes to other clusters' pod networks exactly these: network -> node address."""
    have = remote_routes(ip)
    for network in have.keys() - wanted.keys():
        ip.route("del", dst=network, gateway=have[network])
    for network, gateway in wanted.items():
        if have.get(network) != gateway:
            ip.route("replace", dst=network, gateway=gateway)


def remote_routes(ip: IPRoute) -> dict[str, str]:
    """The routes that lead to other nodes, as the kernel has them."""
    found = {}
    for route in ip.get_routes(family=2, table=254):
        attributes = dict(route["attrs"])
        if (gateway := attributes.get("RTA_GATEWAY")) and "RTA_DST" in attributes:
            found[f"{attributes['RTA_DST']}/{route['dst_len']}"] = gateway
    return found


def queues(ip: IPRoute) -> list[str]:
    """How packets wait at a node's own links, as `tc qdisc` names it; those of pods come and go."""
    return [
        f"{name} {link.get_attr('IFLA_QDISC')}"
        for name in ("eth0", POD_BRIDGE)
        for link in ip.link("get", ifname=name)
    ]


def add_bridge(ip: IPRoute, name: str, address: str, prefix: int) -> None:
    """A bridge with this network address. Left alone, it takes the least hardware address of its members for
    its own: that would change as pods go, and all others would lose what they send until they notice.
    """
    ip.link("add", ifname=name, kind="bridge", address=mac_of(address))
    give_address(ip, name, address, prefix)


def give_address(ip: IPRoute, link: str, address: str, prefix: int) -> None:
    ip.addr("replace", index=ip.link_lookup(ifname=link)[0], address=address, prefixlen=prefix)


def bring_up(ip: IPRoute, link: str) -> int:
    """Switch a link on; returns its index."""
    index: int = ip.link_lookup(ifname=link)[0]
    ip.link("set", index=index, state="up")
    return index


def mac_of(address: str) -> str:
    """A hardware address that follows from the network address: neighbours never hold a stale one."""
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)
