"""Filters of packets in the words of tcpdump, the part of them that labs need. Pure.

    [tcp|udp] [src|dst] port N    [src|dst] host ADDRESS    [src|dst] net NETWORK    tcp  udp  icmp  arp

combined by `and`, `or`, `not` and parentheses. Packets are judged here and not in the kernel: a lab's traffic
is small, and no compiler of filter programs is needed.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

from lab.base.errors import UsageError

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
_IPV4, _ARP = 0x0800, 0x0806
_ETHERNET = 14
_ALLOWED = (
    "[tcp|udp] [src|dst] port N, [src|dst] host A, [src|dst] net N/LEN, tcp, udp, icmp, arp; "
    "and, or, not, ( )"
)
T = TypeVar("T")


@dataclass(frozen=True)
class Headers:
    """What filters look at; addresses are None for what is no IPv4, ports for what has none."""

    ether_type: int
    protocol: int = -1
    source: IPv4Address | None = None
    target: IPv4Address | None = None
    source_port: int | None = None
    target_port: int | None = None


Filter = Callable[[Headers], bool]


def headers(frame: bytes) -> Headers:
    """The headers of an Ethernet frame, as far as it goes."""
    if len(frame) < _ETHERNET:
        return Headers(0)
    ether_type = int.from_bytes(frame[12:14], "big")
    if ether_type != _IPV4 or len(frame) < _ETHERNET + 20:
        return Headers(ether_type)
    packet = frame[_ETHERNET:]
    length, fragment = (packet[0] & 15) * 4, int.from_bytes(packet[6:8], "big") & 0x1FFF
    protocol = packet[9]
    ports: tuple[int | None, int | None] = (None, None)
    if protocol in (PROTOCOLS["tcp"], PROTOCOLS["udp"]) and not fragment and len(packet) >= length + 4:
        ports = struct.unpack_from(">HH", packet, length)
    return Headers(ether_type, protocol, IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), *ports)


def everything(_packet: Headers) -> bool:
    return True


def both(one: Filter, other: Filter) -> Filter:
    return lambda packet: one(packet) and other(packet)


def either(one: Filter, other: Filter) -> Filter:
    return lambda packet: one(packet) or other(packet)


def between(some: tuple[IPv4Network, ...], others: tuple[IPv4Network, ...]) -> Filter:
    """Packets from one side to the other, in both directions."""

    def test(packet: Headers) -> bool:
        source, target = packet.source, packet.target
        if source is None or target is None:
            return False
        return (_in(source, some) and _in(target, others)) or (_in(source, others) and _in(target, some))

    return test


def _in(address: IPv4Address, networks: tuple[IPv4Network, ...]) -> bool:
    return any(address in network for network in networks)


def tcp_ports(ports: frozenset[int]) -> Filter:
    """TCP from or to one of these ports."""
    return lambda packet: (
        packet.protocol == PROTOCOLS["tcp"] and bool({packet.source_port, packet.target_port} & ports)
    )


def parse(text: str) -> Filter:
    """The filter that an expression stands for. Raises UsageError that says what is allowed."""
    words = re.findall(r"[()]|[^\s()]+", text.lower())
    if not words:
        return everything
    parser = _Parser(text, words)
    found = parser.disjunction()
    if parser.words:
        raise parser.error(f'"{parser.words[0]}" is unexpected')
    return found


@dataclass
class _Parser:
    text: str
    words: list[str]

    def error(self, what: str) -> UsageError:
        return UsageError(f'--filter "{self.text}": {what}', remedy=f"allowed are {_ALLOWED}")

    def take(self, *wanted: str) -> str:
        """The next word if it is one of these, else nothing."""
        return self.words.pop(0) if self.words and self.words[0] in wanted else ""

    def value(self, of: str) -> str:
        if not self.words:
            raise self.error(f"{of} of what?")
        return self.words.pop(0)

    def disjunction(self) -> Filter:
        found = self.conjunction()
        while self.take("or", "||"):
            found = either(found, self.conjunction())
        return found

    def conjunction(self) -> Filter:
        found = self.term()
        while self.take("and", "&&"):
            found = both(found, self.term())
        return found

    def term(self) -> Filter:
        if self.take("not", "!"):
            inner = self.term()
            return lambda packet: not inner(packet)
        if self.take("("):
            inner = self.disjunction()
            if not self.take(")"):
                raise self.error("a parenthesis is not closed")
            return inner
        return self.primitive()

    def primitive(self) -> Filter:
        protocol = self.take("arp", *PROTOCOLS)
        direction = self.take("src", "dst")
        kind = self.take("port", "host", "net")
        if not kind:
            if direction or not protocol:
                raise self.error(f'"{self.words[0] if self.words else direction}" is unexpected')
            return _protocol(protocol)
        found = self._port(direction) if kind == "port" else self._address(kind, direction)
        return both(_protocol(protocol), found) if protocol else found

    def _port(self, direction: str) -> Filter:
        word = self.value("port")
        if not word.isdecimal() or not 0 < int(word) < 65536:
            raise self.error(f'"{word}" is not a port')
        port = int(word)
        return lambda packet: port in _ends(direction, packet.source_port, packet.target_port)

    def _address(self, kind: str, direction: str) -> Filter:
        word = self.value(kind)
        try:
            network = IPv4Network(word if kind == "net" else f"{word}/32")
        except ValueError as error:
            raise self.error(
                f'"{word}" is not an IPv4 {"network" if kind == "net" else "address"}'
            ) from error
        return lambda packet: any(
            end is not None and end in network for end in _ends(direction, packet.source, packet.target)
        )


def _ends(direction: str, source: T, target: T) -> tuple[T, ...]:
    return {"src": (source,), "dst": (target,)}.get(direction, (source, target))


def _protocol(name: str) -> Filter:
    if name == "arp":
        return lambda packet: packet.ether_type == _ARP
    return lambda packet: packet.protocol == PROTOCOLS[name]
