"""nftables tables of a node that the engine owns: masquerade for pod traffic and partitions.

Pure builders of transactions plus reading the drops back. The worker commits them in the node's namespace;
Service rules are the service proxy's own table.
"""

from collections.abc import Mapping, Sequence

from lab.engines.embedded.nft import expressions as e
from lab.engines.embedded.nft.transaction import Hook, Nft, Transaction

NODE_TABLE = "lab-node"
DROP_TABLE = "lab-partition"
BEFORE_CONNTRACK = -300
SOURCE_NAT = 100


def masquerade(pod_cidr: str, flat: Sequence[str]) -> Transaction:
    """Pods leave by `eth0` with the node's address, except towards flat pod networks."""
    change = Transaction(NODE_TABLE)
    change.replace_table()
    change.add_chain("postrouting", Hook("nat", "postrouting", SOURCE_NAT))
    outbound = (e.interface("eth0", e.META_OIFNAME), e.in_network(pod_cidr, e.source()))
    for network in flat:
        change.add_rule("postrouting", *outbound, e.in_network(network, e.destination()), e.verdict(e.RETURN))
    change.add_rule("postrouting", *outbound, e.masquerade())
    return change


def drops(peers: Mapping[str, Sequence[str]]) -> Transaction:
    """Throw away what arrives by `eth0` from these peers (name -> networks); none removes the table.

    Dropping before connection tracking also silences established connections; the sender sees silence,
    not an error, as with a cut cable.
    """
    change = Transaction(DROP_TABLE)
    if not peers:
        change.delete_table()
        return change
    change.replace_table()
    change.add_chain("prerouting", Hook("filter", "prerouting", BEFORE_CONNTRACK))
    for peer, networks in peers.items():
        for network in networks:
            arrival = (e.interface("eth0", e.META_IIFNAME), e.in_network(network, e.source()))
            change.add_rule("prerouting", *arrival, e.verdict(e.DROP), comment=peer)
    return change


def dropped_peers(nft: Nft) -> list[str]:
    """The peers whose packets the kernel drops now."""
    return sorted({rule.comment for rule in nft.rules(DROP_TABLE)})
