"""The network worker: a warm child of init that holds netlink sockets open and changes the lab's network.

It runs in the lab's root network namespace and reaches into others. Requests come one at a time over a
socket from init; the functions below are the whole list. It keeps no state the kernel does not have.
"""

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from lab.base.log import get_logger, setup
from lab.engines.embedded import namespaces as ns
from lab.engines.embedded.network import detours, dns, links, rules
from lab.engines.embedded.nft.transaction import Nft

log = get_logger(__name__)
PLAN_FILES = Path("/run/nodes")  # so that a restarted worker finds the pod networks of running nodes


@dataclass(frozen=True)
class Node:
    """Open sockets in one node's namespace."""

    ip: IPRoute
    nft: Nft
    pod_bridge: int
    gateway: str
    pod_cidr: str


class Network:
    """The functions init may call, by name."""

    def __init__(self) -> None:
        links.make_lab_bridge()
        PLAN_FILES.mkdir(exist_ok=True)
        self._nodes: dict[str, Node] = {}
        for file in PLAN_FILES.iterdir():
            self._nodes[file.name] = _open(file.name, file.read_text())

    def add_node(self, plan: Mapping[str, Any]) -> None:
        """A cluster's node namespace with its links, addresses and masquerade rule."""
        name, pod_cidr = str(plan["name"]), str(plan["pod_cidr"])
        netns = f"node-{name}"
        self.remove_node(name)  # of a worker that died half-way
        links.make_namespace(netns)
        links.connect_node(netns, str(plan["node_ip"]), f"node{plan['index']}")
        with ns.inside(netns), IPRoute() as ip:
            links.set_up_node(ip, str(plan["node_ip"]), pod_cidr, str(plan["dns_ip"]))
        self._nodes[name] = _open(name, pod_cidr)
        self._nodes[name].nft.commit(rules.masquerade(pod_cidr, []))
        (PLAN_FILES / name).write_text(pod_cidr)

    def remove_node(self, cluster: str) -> None:
        """Drop a node's namespace; its links go with it."""
        if node := self._nodes.pop(cluster, None):
            node.ip.close()
            node.nft.close()
        (PLAN_FILES / cluster).unlink(missing_ok=True)
        links.remove_namespace(f"node-{cluster}")

    def add_pod(self, cluster: str, netns: str, ip: str) -> None:
        """A pod's namespace, connected to its cluster's pod bridge."""
        node = self._nodes[cluster]
        links.remove_namespace(netns)  # of a worker that died half-way
        links.make_namespace(netns)
        try:
            with ns.inside(netns):
                links.connect_pod(node.ip, node.pod_bridge, netns, ip, node.gateway)
        except BaseException:
            links.remove_namespace(netns)
            raise

    def remove_pod(self, netns: str) -> None:
        """Drop a pod's namespace."""
        links.remove_namespace(netns)

    def set_routes(self, cluster: str, routes: Mapping[str, str]) -> None:
        """Exactly these remote pod networks are reached directly: network -> node address."""
        node = self._nodes[cluster]
        links.set_pod_routes(node.ip, routes)
        node.nft.commit(rules.masquerade(node.pod_cidr, sorted(routes)))

    def set_drops(self, cluster: str, peers: Mapping[str, Sequence[str]]) -> None:
        """Exactly these peers' packets are dropped on arrival."""
        self._nodes[cluster].nft.commit(rules.drops(peers))

    def set_dns_failures(self, cluster: str, dns_ip: str, failures: Sequence[dns.Failure]) -> None:
        """Queries of pods to the cluster's DNS fail exactly like this."""
        self._nodes[cluster].nft.commit(dns.failures(dns_ip, failures))

    def make_relay_link(self) -> None:
        """The device that the relay reads; raises OSError where the machine has no such devices."""
        with IPRoute() as root:
            detours.make_relay_link(root)

    def set_detours(self, paths: Sequence[Mapping[str, Any]]) -> None:
        """Exactly these paths between clusters lead through the relay (wan.paths.Path as JSON)."""
        nodes = {
            net: path["destinations"][0][: -len("/32")] for path in paths for net in path["destinations"]
        }
        with IPRoute() as root:
            detours.set_relay_routes(root, nodes)
        for name, node in self._nodes.items():
            mine = [net for path in paths if path["source"] == name for net in path["destinations"]]
            detours.set_node_detours(node.ip, mine)

    def read_drops(self, cluster: str) -> list[str]:
        """The peers whose packets the kernel drops."""
        return rules.dropped_peers(self._nodes[cluster].nft)

    def describe_network(self) -> dict[str, dict[str, Any]]:
        """Routes, drops, detours, DNS failures and queues of all nodes as the kernel has them."""
        return {
            name: {
                "routes": links.remote_routes(node.ip),
                "drops": rules.dropped_peers(node.nft),
                "detours": detours.detours(node.ip),
                "dns_failures": dns.failing(node.nft),
                "queues": links.queues(node.ip),
            }
            for name, node in self._nodes.items()
        }


def _open(cluster: str, pod_cidr: str) -> Node:
    with ns.inside(f"node-{cluster}"):
        ip, nft = IPRoute(), Nft()
    bridge: int = ip.link_lookup(ifname=links.POD_BRIDGE)[0]
    return Node(ip, nft, bridge, str(IPv4Network(pod_cidr)[1]), pod_cidr)


def main(argv: Sequence[str]) -> int:
    """Serve requests from init on the inherited socket."""
    setup()
    control = socket.socket(fileno=int(argv[0]))
    network = Network()
    while request := control.recv(1 << 20):
        control.send(json.dumps(answer(network, json.loads(request))).encode())
    return 0


def answer(functions: object, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a request of init's comes to, as a message: the function's result, or its error in words."""
    function: Callable[..., Any] = getattr(functions, request["function"])
    try:
        return {"id": request["id"], "result": function(**request["arguments"])}
    except Exception as error:
        log.exception("a request of init failed", function=request["function"])
        return {"id": request["id"], "error": f"{request['function']}: {error or type(error).__name__}"}
