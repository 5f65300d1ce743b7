"""Service ports → nftables: one table with a verdict map from address, protocol and port to a chain. Pure.

A packet costs one map lookup however many Services there are, and a change touches only its own chain.
What is sent to the service network and matches nothing is refused, as is a Service without endpoints.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from lab.engines.embedded.nft import expressions as e
from lab.engines.embedded.nft.transaction import Element, Hook, Set, Transaction
from lab.engines.embedded.services.model import Backend, Frontend, ServicePort

TABLE = "lab-services"
SERVICES = Set("services", key_len=12, data_len=-1)
NODE_PORTS = Set("node-ports", key_len=8, data_len=-1)
HAIRPIN = Set("hairpin", key_len=8)
PROTOCOLS = {"TCP": e.TCP, "UDP": e.UDP}
DESTINATION_NAT, SOURCE_NAT, FILTER = -100, 100, 0
FIRST, SECOND, THIRD = e.WORDS, e.WORDS + 1, e.WORDS + 2


def base(service_cidr: str) -> Transaction:
    """The table without any Service in it."""
    change = Transaction(TABLE)
    change.replace_table()
    for each in (SERVICES, NODE_PORTS, HAIRPIN):
        change.add_set(each)
    for hook in ("prerouting", "output"):
        change.add_chain(f"{hook}-nat", Hook("nat", hook, DESTINATION_NAT))
        by_address = (e.destination(FIRST), e.meta(e.META_L4PROTO, SECOND), e.destination_port(THIRD))
        change.add_rule(f"{hook}-nat", *by_address, e.lookup(SERVICES.name, FIRST, into=e.VERDICT))
        by_port = (e.to_local_address(), e.meta(e.META_L4PROTO, FIRST), e.destination_port(SECOND))
        change.add_rule(f"{hook}-nat", *by_port, e.lookup(NODE_PORTS.name, FIRST, into=e.VERDICT))
    for hook in ("forward", "output"):
        _refuse(change, hook, service_cidr)
    change.add_chain("postrouting", Hook("nat", "postrouting", SOURCE_NAT))
    own = (e.source(FIRST), e.destination(SECOND), e.lookup(HAIRPIN.name, FIRST))
    change.add_rule("postrouting", *own, e.masquerade())
    return change


def update(
    old: Mapping[str, ServicePort], new: Mapping[str, ServicePort], hairpins: Counter[str]
) -> Transaction:
    """From the old ports to the new ones (by chain); `hairpins` counts backends per address and is kept."""
    change = Transaction(TABLE)
    for chain in new.keys() - old.keys():
        change.add_chain(chain)
    for chain, port in new.items():
        if chain not in old or old[chain].backends != port.backends:
            change.flush_chain(chain)
            _fill(change, port)
    removed, added = _elements(old), _elements(new)
    for name in (SERVICES.name, NODE_PORTS.name):
        gone = {key for key, goal in removed[name].items() if added[name].get(key) != goal}
        fresh = {key: goal for key, goal in added[name].items() if removed[name].get(key) != goal}
        change.delete_elements(name, [Element(key) for key in sorted(gone)])
        change.add_elements(name, [Element(key, goal) for key, goal in sorted(fresh.items())])
    _follow_hairpins(change, old, new, hairpins)
    for chain in old.keys() - new.keys():
        change.delete_chain(chain)
    return change


def _fill(change: Transaction, port: ServicePort) -> None:
    """One rule: pick an endpoint at random and rewrite the destination."""
    number = e.equals(bytes([PROTOCOLS[port.protocol]]))
    match = (e.meta(e.META_L4PROTO), number)
    if len(port.backends) == 1:
        (only,) = port.backends
        address, where = _raw(only)[:4], _raw(only)[4:]
        pick = (e.load(address, FIRST), e.load(where, SECOND))
    else:
        elements = [Element(struct.pack("=I", i), _raw(b)) for i, b in enumerate(port.backends)]
        name, set_id = change.add_anonymous_map(4, 8, elements)
        pick = (
            e.random_number(len(elements), FIRST),
            e.lookup(name, FIRST, into=FIRST, set_id=set_id),
        )
    change.add_rule(port.chain, *match, *pick, e.dnat(FIRST, SECOND))


def _refuse(change: Transaction, hook: str, service_cidr: str) -> None:
    chain = f"{hook}-refuse"
    change.add_chain(chain, Hook("filter", hook, FILTER))
    change.add_rule(chain, e.to_local_address(), e.verdict(e.ACCEPT))  # the cluster's DNS
    here = e.in_network(service_cidr, e.destination())
    change.add_rule(chain, here, e.meta(e.META_L4PROTO), e.equals(bytes([e.TCP])), e.tcp_reset())
    change.add_rule(chain, here, e.port_unreachable())


def _elements(ports: Mapping[str, ServicePort]) -> dict[str, dict[bytes, str]]:
    """What the two verdict maps hold for these ports."""
    found: dict[str, dict[bytes, str]] = {SERVICES.name: {}, NODE_PORTS.name: {}}
    for chain, port in ports.items():
        for frontend in port.frontends:
            found[SERVICES.name][_address_key(frontend)] = chain
        if port.node_port:
            found[NODE_PORTS.name][_port_key(port.protocol, port.node_port)] = chain
    return found


def _follow_hairpins(
    change: Transaction,
    old: Mapping[str, ServicePort],
    new: Mapping[str, ServicePort],
    hairpins: Counter[str],
) -> None:
    """A pod that reaches itself through a Service must see another source, or it answers itself directly."""
    before = set(hairpins)
    hairpins.subtract(_backend_addresses(old.values()))
    hairpins.update(_backend_addresses(new.values()))
    for address in [a for a, count in hairpins.items() if count <= 0]:
        del hairpins[address]
    after = set(hairpins)
    change.delete_elements(HAIRPIN.name, [_hairpin(a) for a in sorted(before - after)])
    change.add_elements(HAIRPIN.name, [_hairpin(a) for a in sorted(after - before)])


def _backend_addresses(ports: Iterable[ServicePort]) -> list[str]:
    return [backend.address for port in ports for backend in port.backends]


def _hairpin(address: str) -> Element:
    return Element(IPv4Address(address).packed * 2)


def _address_key(frontend: Frontend) -> bytes:
    return IPv4Address(frontend.address).packed + _port_key(frontend.protocol, frontend.port)


def _port_key(protocol: str, port: int) -> bytes:
    """Each part of a key fills a whole word."""
    return struct.pack(">B3xH2x", PROTOCOLS[protocol], port)


def _raw(backend: Backend) -> bytes:
    return IPv4Address(backend.address).packed + struct.pack(">H2x", backend.port)
