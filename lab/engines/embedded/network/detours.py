"""Routes that lead packets of impaired paths through the relay, and all others past it, over netlink.

A node sends them to the lab's root namespace instead of straight to the other node; there they go to the
relay's TUN device, and what comes out of it goes to the node it is for. They leave and arrive by `eth0` with
unchanged addresses, so masquerading and partitions treat them like all others. Everything is in routing
tables of its own, which make the routes easy to compare and to remove. Every function can be repeated.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from pyroute2 import IPRoute

from lab.engines.embedded.network.links import LAB_BRIDGE, LAB_GATEWAY, bring_up
from lab.engines.embedded.wan.tun import attach

RELAY_LINK = "wan0"
TO_RELAY, FROM_RELAY = 100, 101
"""Routing tables: in nodes and in the root namespace towards the relay; in the root namespace from it."""
PRIORITY = {TO_RELAY: 100, FROM_RELAY: 101}
QUEUE = 5000
"""Packets that the kernel keeps for the relay while it is busy."""


def make_relay_link(ip: IPRoute) -> None:
    """The relay's device in the lab's root namespace. Raises OSError where there are no TUN devices."""
    if not ip.link_lookup(ifname=RELAY_LINK):
        os.close(attach(RELAY_LINK, keep=True))
        ip.link("set", index=ip.link_lookup(ifname=RELAY_LINK)[0], txqlen=QUEUE)
    bring_up(ip, RELAY_LINK)


def set_node_detours(ip: IPRoute, networks: Iterable[str]) -> None:
    """Exactly these networks are reached through the relay, seen from a node's namespace."""
    _set_routes(ip, TO_RELAY, {network: {"gateway": LAB_GATEWAY} for network in networks})


def set_relay_routes(ip: IPRoute, nodes: Mapping[str, str]) -> None:
    """In the root namespace: what comes for these networks goes to the relay, and from it to their node.

    `nodes` are networks with the address of the node to which they belong.
    """
    relay, bridge = (ip.link_lookup(ifname=name)[0] for name in (RELAY_LINK, LAB_BRIDGE))
    onward = {
        network: {"oif": bridge} if network == f"{node}/32" else {"gateway": node}
        for network, node in nodes.items()
    }
    _set_routes(ip, FROM_RELAY, onward, RELAY_LINK)
    _set_routes(ip, TO_RELAY, {network: {"oif": relay} for network in nodes}, LAB_BRIDGE)


def detours(ip: IPRoute) -> list[str]:
    """The networks that a node reaches through the relay, as the kernel has them."""
    if not _has_rule(ip, TO_RELAY):
        return []
    return sorted(_routes(ip, TO_RELAY))


def _set_routes(ip: IPRoute, table: int, wanted: Mapping[str, Mapping[str, Any]], arriving: str = "") -> None:
    have = _routes(ip, table)
    for network, where in wanted.items():
        ip.route("replace", dst=network, table=table, **where)
    for network in have - wanted.keys():
        ip.route("del", dst=network, table=table)
    if wanted and not _has_rule(ip, table):
        only = {"iifname": arriving} if arriving else {}
        ip.rule("add", table=table, priority=PRIORITY[table], **only)
    if not wanted and _has_rule(ip, table):
        ip.rule("del", table=table, priority=PRIORITY[table])


def _has_rule(ip: IPRoute, table: int) -> bool:
    return any(
        rule.get_attr("FRA_PRIORITY") == PRIORITY[table] and rule.get_attr("FRA_TABLE") == table
        for rule in ip.get_rules(family=2)
    )


def _routes(ip: IPRoute, table: int) -> set[str]:
    return {
        f"{route.get_attr('RTA_DST')}/{route['dst_len']}" for route in ip.get_routes(family=2, table=table)
    }
