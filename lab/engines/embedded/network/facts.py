"""What the kernel knows of network namespaces: links, addresses, routes, rules, neighbours, nft, sockets.

Read over netlink by a short child of init, for bundles. Everything the kernel says is kept, in its own words
(attribute names without their prefix), so that a later reader can ask what nobody thought of.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyroute2 import DiagSocket, IPRoute
from pyroute2.nftables.main import NFTables

from lab.engines.embedded import namespaces as ns

IPV4 = 2
NOISE = frozenset(
    {"header", "res_id", "version", "UNKNOWN", "IFLA_STATS", "IFLA_AF_SPEC", "IFLA_MAP", "event"}
)


def facts(namespaces: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The facts of each namespace, "" being the lab's own; one that is gone has `error` instead."""
    return {name or "lab": _of(name) for name in namespaces}


def _of(name: str) -> dict[str, Any]:
    try:
        if not name:
            return _here()
        with ns.inside(name):
            return _here()
    except OSError as error:
        return {"error": str(error)}


def _here() -> dict[str, Any]:
    with IPRoute() as ip, NFTables(nfgen_family=IPV4) as nft, DiagSocket() as sockets:
        sockets.bind()
        asked: Mapping[str, Callable[[], Iterable[Any]]] = {
            "links": ip.get_links,
            "addresses": lambda: ip.get_addr(family=IPV4),
            "routes": lambda: ip.get_routes(family=IPV4),
            "rules": lambda: ip.get_rules(family=IPV4),
            "neighbours": lambda: ip.get_neighbours(family=IPV4),
            "nftTables": nft.get_tables,
            "nftChains": nft.get_chains,
            "nftSets": nft.get_sets,
            "nftRules": nft.get_rules,
            "sockets": lambda: sockets.get_sock_stats(family=IPV4),
        }
        return {what: [plain(row) for row in ask()] for what, ask in asked.items()}


def plain(value: Any) -> Any:
    """A netlink message as JSON-ready values."""
    if isinstance(value, Mapping):
        rows = [*((k, v) for k, v in value.items() if k != "attrs"), *(value.get("attrs") or ())]
        return {_short(key): plain(item) for key, item in rows if key not in NOISE}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _short(name: str) -> str:
    """`IFLA_MTU` as `mtu`, `idiag_sport` as `sport`."""
    head, _, rest = name.partition("_")
    return rest.lower() if rest and (head.isupper() or head == "idiag") else name
