"""Which packets of a link are meant: by port, address, or the two clusters between which they go. Pure.

Packets are judged here and not by a program in the kernel: a lab's traffic is small, and whoever wants finer
filters has those of tcpdump and Wireshark behind the pipe.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

Networks = tuple[IPv4Network, ...]

_ETHERNET = 14
_IPV4, _TCP, _UDP = 0x0800, 6, 17
_FRAGMENT = 0x1FFF
"""Bits of the offset in a datagram: a part of one that is not its first has no ports."""


@dataclass(frozen=True)
class Wanted:
    """Every part that is given must fit; without any, all packets do, also those that are no IPv4."""

    ports: frozenset[int] = frozenset()
    """TCP or UDP, at either end."""
    host: IPv4Address | None = None
    """At either end."""
    between: tuple[Networks, Networks] | None = None
    """From one side to the other, in both directions."""

    def takes(self, frame: bytes) -> bool:
        """Whether an Ethernet frame is wanted."""
        if not (self.ports or self.host or self.between):
            return True
        if len(frame) < _ETHERNET + 20 or int.from_bytes(frame[12:14], "big") != _IPV4:
            return False
        packet = frame[_ETHERNET:]
        ends = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        if self.host and self.host not in ends:
            return False
        if self.between and not _crosses(ends, self.between):
            return False
        return not self.ports or bool(self.ports & _ports(packet))


EVERYTHING = Wanted()


def _crosses(ends: tuple[IPv4Address, IPv4Address], sides: tuple[Networks, Networks]) -> bool:
    (source, target), (here, there) = ends, sides
    return (_in(source, here) and _in(target, there)) or (_in(source, there) and _in(target, here))


def _in(address: IPv4Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _ports(packet: bytes) -> frozenset[int]:
    header, fragment = (packet[0] & 15) * 4, int.from_bytes(packet[6:8], "big") & _FRAGMENT
    if packet[9] not in (_TCP, _UDP) or fragment or len(packet) < header + 4:
        return frozenset()
    return frozenset(struct.unpack_from(">HH", packet, header))
