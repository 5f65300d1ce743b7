"""Program `proxy-init`: nft rules in the pod's network namespace that send its TCP through the proxy.

Outbound connections go to 4140, inbound ones to 4143, except the proxy's own (by mark), loopback and
ignored ports. What the proxy sends to its own pod, because the app calls its own Service, is inbound too.
The rules are plain data (`rules`), written over netlink and read back; running it again replaces them.
"""

import argparse
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.nftables.main import NFTables

from lab.base.errors import LabError
from lab.controlplane.inject.settings import (
    ADMIN_PORT,
    APP_MARK,
    CONTROL_PORT,
    INBOUND_PORT,
    OUTBOUND_PORT,
    PROXY_MARK,
)

TABLE = "linkerd"
OUTPUT, PREROUTING = "output", "prerouting"
DESTINATION_NAT = -100
IPV4 = 2
META_MARK, META_OUT_INTERFACE, META_L4_PROTOCOL = 3, 7, 16
TRANSPORT_HEADER, DESTINATION_PORT_OFFSET = 2, 2
REGISTER, VERDICT_REGISTER = 1, 0
EQUAL, IN_RANGE = 0, 0
ACCEPT = 1
INTERFACE_NAME_LENGTH = 16

Expression = dict[str, Any]


class CaptureError(LabError):
    """The rules could not be written, or are not there after writing."""


@dataclass(frozen=True)
class Ports:
    """An inclusive range of ports."""

    first: int
    last: int


@dataclass(frozen=True)
class Rule:
    """One rule: match TCP with `mark`, leaving by `interface` and to `ports`, then accept or redirect."""

    chain: str
    mark: int = 0
    interface: str = ""
    ports: Ports | None = None
    redirect: int = 0


def parse_ports(text: str) -> tuple[Ports, ...]:
    """`25,443,9000-9010` as ranges; raises ValueError naming the part that is wrong."""
    parsed = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        first, _, last = part.partition("-")
        try:
            ports = Ports(int(first), int(last or first))
        except ValueError:
            raise ValueError(f"{part!r} is not a port or a range of ports") from None
        if not 0 < ports.first <= ports.last < 65536:
            raise ValueError(f"{part!r} is not a range within 1-65535")
        parsed.append(ports)
    return tuple(parsed)


def rules(skip_inbound: Sequence[Ports], skip_outbound: Sequence[Ports]) -> list[Rule]:
    """The capture of one pod, in order."""
    own = [Ports(p, p) for p in (OUTBOUND_PORT, INBOUND_PORT, CONTROL_PORT, ADMIN_PORT)]
    return [
        Rule(OUTPUT, mark=APP_MARK),
        *(Rule(OUTPUT, interface="lo", ports=ports) for ports in (*own, *skip_inbound)),
        Rule(OUTPUT, mark=PROXY_MARK, interface="lo", redirect=INBOUND_PORT),
        Rule(OUTPUT, mark=PROXY_MARK),
        Rule(OUTPUT, interface="lo"),
        *(Rule(OUTPUT, ports=ports) for ports in skip_outbound),
        Rule(OUTPUT, redirect=OUTBOUND_PORT),
        *(Rule(PREROUTING, ports=ports) for ports in (*own, *skip_inbound)),
        Rule(PREROUTING, redirect=INBOUND_PORT),
    ]


def expressions(rule: Rule) -> list[Expression]:
    """The rule as netfilter expressions."""
    out = _meta(META_L4_PROTOCOL, bytes([socket.IPPROTO_TCP]))
    if rule.mark:
        # The kernel compares the register as it holds it: in the machine's byte order.
        out += _meta(META_MARK, struct.pack("=I", rule.mark))
    if rule.interface:
        name = rule.interface.encode().ljust(INTERFACE_NAME_LENGTH, b"\0")
        out += _meta(META_OUT_INTERFACE, name)
    if rule.ports:
        place = {"dreg": REGISTER, "base": TRANSPORT_HEADER, "offset": DESTINATION_PORT_OFFSET, "len": 2}
        out.append(_expression("payload", place))
        ends = {"from_data": _value(_port(rule.ports.first)), "to_data": _value(_port(rule.ports.last))}
        out.append(_expression("range", {"sreg": REGISTER, "op": IN_RANGE, **ends}))
    if rule.redirect:
        out.append(_expression("immediate", {"dreg": REGISTER, "data": _value(_port(rule.redirect))}))
        return [*out, _expression("redir", {"reg_proto_min": REGISTER})]
    verdict = {"attrs": [("NFTA_DATA_VERDICT", {"attrs": [("NFTA_VERDICT_CODE", ACCEPT)]})]}
    return [*out, _expression("immediate", {"dreg": VERDICT_REGISTER, "data": verdict})]


def install(wanted: Sequence[Rule]) -> None:
    """Write the rules into the current network namespace and read them back. Raises CaptureError."""
    try:
        with NFTables(nfgen_family=IPV4) as nft:
            if _exists(nft):
                nft.table("del", name=TABLE)
            nft.table("add", name=TABLE)
            for chain in (OUTPUT, PREROUTING):
                nft.chain(
                    "add", table=TABLE, name=chain, hook=chain, type="nat", policy=1, priority=DESTINATION_NAT
                )
            for rule in wanted:
                nft.rule("add", table=TABLE, chain=rule.chain, expressions=(expressions(rule),))
            seen = read_back(nft)
    except (NetlinkError, OSError) as error:
        raise CaptureError(
            f"the kernel refused the capture rules: {error}", remedy="the pod needs NET_ADMIN and nf_tables"
        ) from error
    expected = [[e["attrs"][0][1] for e in expressions(rule)] for rule in wanted]
    if seen != expected:
        raise CaptureError(f"the capture rules read back differently: wrote {expected}, found {seen}")


def read_back(nft: NFTables) -> list[list[str]]:
    """The expression names of every rule of our table, chain by chain, as the kernel holds them."""
    found: dict[str, list[list[str]]] = {OUTPUT: [], PREROUTING: []}
    for message in nft.get_rules():
        if message.get_attr("NFTA_RULE_TABLE") != TABLE:
            continue
        names = [e.get_attr("NFTA_EXPR_NAME") for e in message.get_attr("NFTA_RULE_EXPRESSIONS") or []]
        found[message.get_attr("NFTA_RULE_CHAIN")].append(names)
    return found[OUTPUT] + found[PREROUTING]


def _exists(nft: NFTables) -> bool:
    return any(t.get_attr("NFTA_TABLE_NAME") == TABLE for t in nft.get_tables())


def _meta(key: int, wanted: bytes) -> list[Expression]:
    return [
        _expression("meta", {"dreg": REGISTER, "key": key}),
        _expression("cmp", {"sreg": REGISTER, "op": EQUAL, "data": _value(wanted)}),
    ]


def _expression(name: str, fields: dict[str, Any]) -> Expression:
    attributes = [(f"NFTA_{name.upper()}_{key.upper()}", value) for key, value in fields.items()]
    return {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": attributes})]}


def _value(content: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", content)]}


def _port(number: int) -> bytes:
    return struct.pack("!H", number)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="proxy-init", description=__doc__)
    parser.add_argument("--inbound-ports-to-ignore", type=parse_ports, default=())
    parser.add_argument("--outbound-ports-to-ignore", type=parse_ports, default=())
    options = parser.parse_args(argv)
    wanted = rules(options.inbound_ports_to_ignore, options.outbound_ports_to_ignore)
    try:
        install(wanted)
    except CaptureError as error:
        print(f"proxy-init: {error}. {error.remedy}", flush=True)  # noqa: T201 - the container's log
        return 1
    print(f"proxy-init: {len(wanted)} rules in place", flush=True)  # noqa: T201 - the container's log
    return 0
