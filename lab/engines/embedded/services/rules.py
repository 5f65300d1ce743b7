"""Service ports → nftables: one table with a verdict map from address, protocol and port to a chain. Pure.

A packet costs one map lookup however many Services there are, and a change touches only its own chain.
What is sent to the service network and matches nothing is refused, as is a Service without endpoints.
With session affinity each backend has a set of the clients that it serves, and a chain that adds to it.
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
REFUSED = Set("refused", key_len=12)
HAIRPIN = Set("hairpin", key_len=8)
PROTOCOLS = {"TCP": e.TCP, "UDP": e.UDP}
DESTINATION_NAT, SOURCE_NAT, FILTER = -100, 100, 0
FIRST, SECOND, THIRD = e.WORDS, e.WORDS + 1, e.WORDS + 2
BY_ADDRESS = (e.destination(FIRST), e.meta(e.META_L4PROTO, SECOND), e.destination_port(THIRD))


def base(service_cidr: str) -> Transaction:
    """The table without any Service in it."""
    change = Transaction(TABLE)
    change.replace_table()
    for each in (SERVICES, NODE_PORTS, REFUSED, HAIRPIN):
        change.add_set(each)
    for hook in ("prerouting", "output"):
        change.add_chain(f"{hook}-nat", Hook("nat", hook, DESTINATION_NAT))
        change.add_rule(f"{hook}-nat", *BY_ADDRESS, e.lookup(SERVICES.name, FIRST, into=e.VERDICT))
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
        before = old.get(chain)
        if before is None or (before.backends, before.affinity) != (port.backends, port.affinity):
            _rewrite(change, before, port)
    removed, added = _elements(old), _elements(new)
    for name in added:
        gone = {key for key, goal in removed[name].items() if added[name].get(key, 0) != goal}
        fresh = {key: goal for key, goal in added[name].items() if removed[name].get(key, 0) != goal}
        change.delete_elements(name, [Element(key) for key in sorted(gone)])
        change.add_elements(name, [Element(key, fresh[key]) for key in sorted(fresh)])
    _follow_hairpins(change, old, new, hairpins)
    for chain in old.keys() - new.keys():
        change.flush_chain(chain)
        _forget_clients(change, old[chain], kept=())
        change.delete_chain(chain)
    return change


def _rewrite(change: Transaction, before: ServicePort | None, port: ServicePort) -> None:
    """Fill a port's chain anew; clients of a backend that stays are remembered."""
    change.flush_chain(port.chain)
    known: tuple[Backend, ...] = ()
    if before and before.affinity:
        known = before.backends if before.affinity == port.affinity else ()
        _forget_clients(change, before, kept=[b for b in port.backends if b in known])
    if not port.backends:
        return
    if not port.affinity:
        change.add_rule(
            port.chain, *_of_protocol(port), *_pick_any(change, port.backends), e.dnat(FIRST, SECOND)
        )
        return
    for backend in port.backends:
        if backend not in known:
            _remember_clients(change, port, backend)
    for backend in port.backends:
        sticky = _sticky(port, backend)
        change.add_rule(port.chain, e.source(FIRST), e.lookup(sticky, FIRST), e.verdict(e.GOTO, sticky))
    goals = [Element(struct.pack("=I", i), _sticky(port, b)) for i, b in enumerate(port.backends)]
    name, set_id = change.add_anonymous_map(4, -1, goals)
    pick = (e.random_number(len(goals), FIRST), e.lookup(name, FIRST, into=e.VERDICT, set_id=set_id))
    change.add_rule(port.chain, *pick)


def _sticky(port: ServicePort, backend: Backend) -> str:
    """The name of the set of a backend's clients, and of the chain that leads to it."""
    return f"{port.chain}/{backend.address}:{backend.port}"


def _remember_clients(change: Transaction, port: ServicePort, backend: Backend) -> None:
    """A chain that leads to one backend and notes who was led there."""
    sticky = _sticky(port, backend)
    change.add_set(Set(sticky, key_len=4, timeout=port.affinity))
    change.add_chain(sticky)
    note = (e.source(FIRST), e.remember(sticky, FIRST))
    goal = (e.load(_raw(backend)[:4], FIRST), e.load(_raw(backend)[4:], SECOND), e.dnat(FIRST, SECOND))
    change.add_rule(sticky, *_of_protocol(port), *note, *goal)


def _forget_clients(change: Transaction, port: ServicePort, kept: Iterable[Backend]) -> None:
    """Remove what affinity made for backends that are not kept; nothing may refer to it any more."""
    gone = [_sticky(port, b) for b in port.backends if b not in kept] if port.affinity else []
    for sticky in gone:
        change.delete_chain(sticky)
    for sticky in gone:
        change.delete_set(sticky)


def _of_protocol(port: ServicePort) -> tuple[bytes, bytes]:
    """Rewriting ports needs to know whose they are."""
    return e.meta(e.META_L4PROTO), e.equals(bytes([PROTOCOLS[port.protocol]]))


def _pick_any(change: Transaction, backends: tuple[Backend, ...]) -> tuple[bytes, bytes]:
    """Load address and port of an endpoint, by chance."""
    if len(backends) == 1:
        (only,) = backends
        return e.load(_raw(only)[:4], FIRST), e.load(_raw(only)[4:], SECOND)
    elements = [Element(struct.pack("=I", i), _raw(b)) for i, b in enumerate(backends)]
    name, set_id = change.add_anonymous_map(4, 8, elements)
    return e.random_number(len(elements), FIRST), e.lookup(name, FIRST, into=FIRST, set_id=set_id)


def _refuse(change: Transaction, hook: str, service_cidr: str) -> None:
    chain = f"{hook}-refuse"
    change.add_chain(chain, Hook("filter", hook, FILTER))
    change.add_rule(chain, e.to_local_address(), e.verdict(e.ACCEPT))  # the cluster's DNS
    nowhere = (*BY_ADDRESS, e.lookup(REFUSED.name, FIRST))
    here = (e.in_network(service_cidr, e.destination()),)
    for match in (nowhere, here):
        change.add_rule(chain, *match, e.meta(e.META_L4PROTO), e.equals(bytes([e.TCP])), e.tcp_reset())
        change.add_rule(chain, *match, e.port_unreachable())


def _elements(ports: Mapping[str, ServicePort]) -> dict[str, dict[bytes, str | None]]:
    """What the two verdict maps and the set of addresses without backends hold for these ports."""
    found: dict[str, dict[bytes, str | None]] = {SERVICES.name: {}, NODE_PORTS.name: {}, REFUSED.name: {}}
    for chain, port in ports.items():
        keys = [_address_key(frontend) for frontend in port.frontends]
        if not port.backends:
            found[REFUSED.name] |= dict.fromkeys(keys)
            continue
        found[SERVICES.name] |= dict.fromkeys(keys, chain)
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
