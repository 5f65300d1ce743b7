"""The commands that set and read routes and packet rules inside a node, and what they answer. Pure.

All that is ours is marked: routes by their protocol number, rules by their table. So reading back sees
nothing else, and nothing else is changed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lab.base.errors import LabError

PROTOCOL = "77"
"""Marks our routes; below the numbers that routing daemons use."""
TABLE = "inet multicluster_lab"
READ_ROUTES = ("ip", "-json", "route", "show", "proto", PROTOCOL)
READ_RULES = ("nft", "-j", "list", "table", *TABLE.split())
NO_TABLE = "No such file or directory"
NOTHING = '{"nftables": []}'

Settings = tuple[tuple[str, float], ...]
"""What a fault or a link asks, in the words of EngineFault's settings."""


def add_route(network: str, via: str) -> tuple[str, ...]:
    return ("ip", "route", "replace", network, "via", via, "proto", PROTOCOL)


def remove_route(network: str) -> tuple[str, ...]:
    return ("ip", "route", "del", network, "proto", PROTOCOL)


def parse_routes(text: str) -> dict[str, str]:
    """Network → next hop, of what READ_ROUTES printed."""
    return {str(row["dst"]): str(row["gateway"]) for row in _json(text) if "gateway" in row}


def set_drops(drops: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Lose every packet from these (cluster, network) pairs, and no others; one transaction."""
    rules = [
        f'add rule {TABLE} lost ip saddr {network} drop comment "{source}"'
        for source, network in sorted(drops)
    ]
    return script("lost", "{ type filter hook prerouting priority -300; }", rules)


def keep_sources(pods: Iterable[str], remote: Iterable[str]) -> tuple[str, ...]:
    """Packets from pods here to remote pods keep their sender's address.

    kindnetd masquerades everything that leaves its own cluster. The first rule that settles a connection's
    address wins, so ours come first and settle it to what it is; nothing of kindnetd's is touched, which
    writes its rules anew every minute.
    """
    rules = [
        f"add rule {TABLE} kept ip daddr {there} snat ip prefix to ip saddr map {{ {here} : {here} }}"
        for there in sorted(remote)
        for here in sorted(pods)
    ]
    return script("kept", "{ type nat hook postrouting priority 90; }", rules)


def parse_rules(text: str) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """Drops by (source, network), and the remote networks with kept senders, of what READ_RULES printed."""
    drops: set[tuple[str, str]] = set()
    kept: set[str] = set()
    for rule in listed(text):
        network = network_of(rule)
        if rule["chain"] == "lost" and any("drop" in part for part in rule["expr"]):
            drops.add((str(rule.get("comment", "")), network))
        elif rule["chain"] == "kept":
            kept.add(network)
    return frozenset(drops), frozenset(kept)


def network_of(rule: Mapping[str, Any]) -> str:
    """The network that a rule is about."""
    return next((_network(part["match"]["right"]) for part in rule["expr"] if "match" in part), "")


def note(settings: Settings) -> str:
    """Settings as a rule's comment."""
    return " ".join(f"{name}={float(value)!r}" for name, value in settings)


def noted(words: Iterable[str]) -> Settings:
    """Settings by the words of such a comment."""
    pairs = (word.split("=") for word in words)
    return tuple((name, float(value)) for name, value in pairs)


def listed(text: str) -> Iterator[Mapping[str, Any]]:
    """The rules in what READ_RULES printed."""
    for part in _json(text or NOTHING)["nftables"]:
        if "rule" in part:
            yield part["rule"]


def script(chain: str, hook: str, rules: list[str]) -> tuple[str, ...]:
    """The command that empties a chain and does these things of nft after it, in one transaction."""
    head = [f"add table {TABLE}", f"add chain {TABLE} {chain} {hook}", f"flush chain {TABLE} {chain}"]
    return ("nft", "; ".join([*head, *rules]))


def _network(found: Any) -> str:
    if isinstance(found, dict) and "prefix" in found:
        return f"{found['prefix']['addr']}/{found['prefix']['len']}"
    return str(found)


def _json(text: str) -> Any:
    try:
        return json.loads(text or "[]")
    except ValueError as error:
        raise LabError(f"a node answered with something that is no JSON: {text[:200]!r}") from error
