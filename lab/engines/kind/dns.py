"""Packet rules that fail the DNS queries of a cluster's pods. Pure.

Queries that shall go unanswered are lost before kube-proxy chooses who answers. An answer that shall be
SERVFAIL is the cluster's own with that code written into it: no program of a node would say so, and one of
ours would have to be kept alive there. Over TCP that cannot be done, so such a query goes unanswered, too.
What a node itself asks passes neither chain.
"""

from collections.abc import Iterable

from lab.engines.kind.rules import TABLE, Settings, listed, network_of, note, noted, script

LOST = "unasked"
SPOILT = "servfail"
BEFORE_CONNTRACK = "{ type filter hook prerouting priority -300; }"
AFTER_SOURCE_NAT = "{ type filter hook postrouting priority 150; }"
"""By then an answer has the address of the Service again."""
SERVFAIL = "@th,92,4 set 2 @th,48,16 set 0"
"""Response code 2 (RFC 1035, 4.1.1), and the checksum of UDP that means that there is none (RFC 768)."""
MILLION = 1_000_000


def fail(dns_ip: str, wanted: Iterable[Settings]) -> tuple[str, ...]:
    """The command that fails queries to this address so and no more; each of `wanted` draws by itself. One
    transaction."""
    chains = [f"add chain {TABLE} {SPOILT} {AFTER_SOURCE_NAT}", f"flush chain {TABLE} {SPOILT}"]
    return script(
        LOST, BEFORE_CONNTRACK, [*chains, *(rule for one in wanted for rule in _rules(dns_ip, one))]
    )


def failing(rules: str, dns_ip: str) -> frozenset[Settings]:
    """The failures that a node has all rules for."""
    chains: dict[str, set[str]] = {}
    for rule in listed(rules):
        if rule["chain"] in (LOST, SPOILT) and network_of(rule) == dns_ip:
            chains.setdefault(str(rule.get("comment", "")), set()).add(rule["chain"])
    found = {noted(comment.split()): those for comment, those in chains.items()}
    return frozenset(
        one for one, those in found.items() if those == {rule[0] for rule in _parts(dns_ip, one)}
    )


def _rules(dns_ip: str, asked: Settings) -> list[str]:
    share = dict(asked)["share"]
    chance = f"numgen random mod {MILLION} < {round(share * MILLION)} " if share < 1 else ""
    return [
        f'add rule {TABLE} {chain} {match} {chance}{verdict} comment "{note(asked)}"'
        for chain, match, verdict in _parts(dns_ip, asked)
    ]


def _parts(dns_ip: str, asked: Settings) -> list[tuple[str, str, str]]:
    """Chain, packets and what becomes of them."""
    query = f"ip daddr {dns_ip} meta l4proto"
    if not dict(asked).get("servfail"):
        return [(LOST, f"{query} {{ tcp, udp }} th dport 53", "drop")]
    return [
        (LOST, f"{query} tcp th dport 53", "drop"),
        (SPOILT, f"ip saddr {dns_ip} udp sport 53", SERVFAIL),
    ]
