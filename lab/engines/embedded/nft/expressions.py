"""The parts nftables rules are made of, each as encoded bytes. Pure.

A rule is a list of these, in order; registers are numbered words (`WORDS + n`) that hold what was loaded.
"""

import ipaddress
import struct

from lab.engines.embedded.nft.attributes import attribute, nested, number, text

VERDICT = 0
WORDS = 8
DROP, ACCEPT, RETURN, GOTO, JUMP = 0, 1, -5, -4, -3
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
TCP, UDP = 6, 17
META_IIFNAME, META_OIFNAME, META_L4PROTO = 6, 7, 16
FIB_ADDRESS_TYPE, FIB_DESTINATION, LOCAL = 3, 2, 2


def expression(name: str, *attributes: bytes) -> bytes:
    """One element of a rule's expression list."""
    return nested(1, text(1, name), nested(2, *attributes))


def value(kind: int, raw: bytes) -> bytes:
    """A literal as attribute `kind`."""
    return nested(kind, attribute(1, raw))


def verdict_value(kind: int, code: int, chain: str = "") -> bytes:
    """A verdict as attribute `kind`."""
    target = (text(2, chain),) if chain else ()
    return nested(kind, nested(2, number(1, code), *target))


def payload(header: int, offset: int, length: int, register: int) -> bytes:
    """Load bytes of the packet."""
    return expression("payload", number(1, register), number(2, header), number(3, offset), number(4, length))


def source(register: int = WORDS) -> bytes:
    """Load the source address."""
    return payload(NETWORK_HEADER, 12, 4, register)


def destination(register: int = WORDS) -> bytes:
    """Load the destination address."""
    return payload(NETWORK_HEADER, 16, 4, register)


def destination_port(register: int) -> bytes:
    """Load the TCP or UDP destination port."""
    return payload(TRANSPORT_HEADER, 2, 2, register)


def meta(key: int, register: int = WORDS) -> bytes:
    """Load a fact about the packet."""
    return expression("meta", number(1, register), number(2, key))


def equals(raw: bytes, register: int = WORDS, *, negate: bool = False) -> bytes:
    """Go on only if the register holds these bytes (or, negated, something else)."""
    return expression("cmp", number(1, register), number(2, 1 if negate else 0), value(3, raw))


def masked(mask: bytes, register: int = WORDS) -> bytes:
    """Keep only the masked bits of a register."""
    zero = bytes(len(mask))
    parts = (number(1, register), number(2, register), number(3, len(mask)), value(4, mask), value(5, zero))
    return expression("bitwise", *parts)


def verdict(code: int, chain: str = "") -> bytes:
    """Decide."""
    return expression("immediate", number(1, VERDICT), verdict_value(2, code, chain))


def load(raw: bytes, register: int) -> bytes:
    """Put a literal into a register."""
    return expression("immediate", number(1, register), value(2, raw))


def lookup(name: str, register: int = WORDS, *, into: int | None = None, set_id: int = 0) -> bytes:
    """Go on only if the set holds the register's value; of a map, load what it maps to."""
    parts = [text(1, name), number(2, register)]
    if into is not None:
        parts.append(number(3, into))
    if set_id:
        parts.append(number(4, set_id))
    return expression("lookup", *parts)


def remember(name: str, register: int = WORDS) -> bytes:
    """Add the register's value to a set with a timeout, or start its time anew."""
    return expression("dynset", text(1, name), number(3, 1), number(4, register))


def random_number(modulus: int, register: int) -> bytes:
    """Load a random number below `modulus`."""
    return expression("numgen", number(1, register), number(2, modulus), number(3, 1), number(4, 0))


def below(limit: int, register: int) -> bytes:
    """Go on only if the number in the register is smaller; what is compared are bytes, the highest first."""
    parts = (number(1, register), number(2, register), number(3, 1), number(4, 4), number(5, 4))
    less = expression("cmp", number(1, register), number(2, 2), value(3, struct.pack(">I", limit)))
    return expression("byteorder", *parts) + less


def dnat(address: int, port: int) -> bytes:
    """Rewrite the destination to what two registers hold."""
    parts = (number(1, 1), number(2, 2), number(3, address), number(4, address))
    return expression("nat", *parts, number(5, port), number(6, port))


def masquerade() -> bytes:
    """Rewrite the source to the address of the interface it leaves by."""
    return expression("masq")


def tcp_reset() -> bytes:
    """Refuse a TCP connection as a closed port does."""
    return expression("reject", number(1, 1), attribute(2, b"\0"))


def port_unreachable() -> bytes:
    """Refuse a datagram as a closed port does."""
    return expression("reject", number(1, 0), attribute(2, b"\x03"))


def to_local_address() -> bytes:
    """Go on only if the packet is for an address of this namespace."""
    fib = expression("fib", number(1, WORDS), number(2, FIB_ADDRESS_TYPE), number(3, FIB_DESTINATION))
    return fib + equals(struct.pack("=I", LOCAL))


def interface(name: str, key: int) -> bytes:
    """Go on only if the packet came or leaves by this interface (`key` says which)."""
    return meta(key) + equals(name.encode().ljust(16, b"\0"))


def in_network(cidr: str, load_address: bytes, *, negate: bool = False) -> bytes:
    """Go on only if the loaded address is in a network (or, negated, is not)."""
    network = ipaddress.IPv4Network(cidr)
    mask = b"" if network.prefixlen == 32 else masked(network.netmask.packed)
    return load_address + mask + equals(network.network_address.packed, negate=negate)
