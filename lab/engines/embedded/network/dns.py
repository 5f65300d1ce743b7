"""nftables table of a node whose DNS fails its pods on purpose. Pure, but for reading it back.

Queries that shall go unanswered are dropped before connection tracking; those that shall be answered SERVFAIL
are led to the port at which the node's DNS says nothing else. The node's own queries are spared.
"""

import json
import struct
from collections.abc import Mapping, Sequence
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


Failure = Mapping[str, float]
"""The `share` of queries that fail: with SERVFAIL if `servfail` is set, else without an answer."""


def failures(dns_ip: str, wanted: Sequence[Failure]) -> Transaction:
    """Exactly these failures of the DNS at an address, each of which draws by itself; none: no table."""
    change = Transaction(TABLE)
    if not wanted:
        change.delete_table()
        return change
    change.replace_table()
    change.add_chain("drop", Hook("filter", "prerouting", BEFORE_CONNTRACK))
    change.add_chain("divert", Hook("nat", "prerouting", BEFORE_SERVICES))
    goal = IPv4Address(dns_ip).packed, struct.pack(">H2x", FAILING_DNS_PORT)
    divert = e.load(goal[0], e.WORDS) + e.load(goal[1], e.WORDS + 1) + e.dnat(e.WORDS, e.WORDS + 1)
    for one in wanted:
        chain, fail = ("divert", divert) if one.get("servfail") else ("drop", e.verdict(e.DROP))
        _add(change, chain, dns_ip, one, fail)
    return change


def failing(nft: Nft) -> list[list[tuple[str, float]]]:
    """The settings of the failures that the kernel has rules for."""
    notes = dict.fromkeys(rule.comment for rule in nft.rules(TABLE))
    return [json.loads(note) for note in notes]


def _add(change: Transaction, chain: str, dns_ip: str, asked: Failure, fail: bytes) -> None:
    for protocol in (e.UDP, e.TCP):
        query = (
            e.interface(POD_BRIDGE, e.META_IIFNAME),
            e.in_network(f"{dns_ip}/32", e.destination()),
            e.meta(e.META_L4PROTO) + e.equals(bytes([protocol])),
            e.destination_port(e.WORDS) + e.equals(struct.pack(">H", DNS_PORT)),
        )
        chance = e.random_number(MILLION, e.WORDS) + e.below(round(asked["share"] * MILLION), e.WORDS)
        note = json.dumps(sorted(asked.items()))
        change.add_rule(chain, *query, chance, fail, comment=note)
