"""nftables table of a node whose DNS fails its pods on purpose. Pure, but for reading it back.

Queries that shall go unanswered are dropped before connection tracking; those that shall be answered SERVFAIL
are led to the port at which the node's DNS says nothing else. The node's own queries are spared.
"""

import json
import struct
from collections.abc import Mapping
from ipaddress import IPv4Address

from lab.engines.embedded.network.links import POD_BRIDGE
from lab.engines.embedded.network.rules import BEFORE_CONNTRACK
from lab.engines.embedded.nft import expressions as e
from lab.engines.embedded.nft.transaction import Hook, Nft, Transaction
from lab.pocket.node.config import FAILING_DNS_PORT

TABLE = "lab-dns"
DNS_PORT = 53
BEFORE_SERVICES = -110
MILLION = 1_000_000


def failure(dns_ip: str, settings: Mapping[str, float]) -> Transaction:
    """The `share` of queries to the DNS fails, with SERVFAIL if `servfail` is set; no settings: none does."""
    change = Transaction(TABLE)
    if not settings:
        change.delete_table()
        return change
    change.replace_table()
    if settings.get("servfail"):
        change.add_chain("prerouting", Hook("nat", "prerouting", BEFORE_SERVICES))
        goal = IPv4Address(dns_ip).packed, struct.pack(">H2x", FAILING_DNS_PORT)
        fail = e.load(goal[0], e.WORDS) + e.load(goal[1], e.WORDS + 1) + e.dnat(e.WORDS, e.WORDS + 1)
    else:
        change.add_chain("prerouting", Hook("filter", "prerouting", BEFORE_CONNTRACK))
        fail = e.verdict(e.DROP)
    for protocol in (e.UDP, e.TCP):
        query = (
            e.interface(POD_BRIDGE, e.META_IIFNAME),
            e.in_network(f"{dns_ip}/32", e.destination()),
            e.meta(e.META_L4PROTO) + e.equals(bytes([protocol])),
            e.destination_port(e.WORDS) + e.equals(struct.pack(">H", DNS_PORT)),
        )
        chance = e.random_number(MILLION, e.WORDS) + e.below(round(settings["share"] * MILLION), e.WORDS)
        note = json.dumps(sorted(settings.items()))
        change.add_rule("prerouting", *query, chance, fail, comment=note)
    return change


def failing(nft: Nft) -> list[tuple[str, float]]:
    """The settings of the failure that the kernel has rules for; none: no query fails."""
    notes = {rule.comment for rule in nft.rules(TABLE)}
    return json.loads(notes.pop()) if notes else []
