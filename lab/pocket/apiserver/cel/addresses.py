"""url(…), ip(…), cidr(…) and what can be asked of them. Pure."""

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from cel_expr_python import cel

from .quantities import Row

_T = cel.Type
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Value = dict[str, Any]


def _text(found: _Value, kind: str) -> str:
    if kind not in found:
        raise ValueError(f"no such overload: the value is no {kind}")
    return str(found[kind])


def _parse_url(text: str) -> SplitResult:
    """An absolute URI or an absolute path, as a request line would have it."""
    found = urlsplit(text)
    if not (found.scheme or text.startswith("/")) or any(ord(char) <= 32 for char in text):
        raise ValueError(f"URL parse error during conversion from string: parse {text!r}: invalid URI")
    _ = found.port  # raises for a port that is none
    return found


def _url(found: _Value) -> SplitResult:
    return _parse_url(_text(found, "url"))


def _port(found: _Value) -> str:
    port = _url(found).port
    return "" if port is None else str(port)


def _parse_ip(text: str) -> _Address:
    """Upstream takes neither zones nor IPv4 addresses written as IPv6."""
    found = ipaddress.ip_address(text)
    if "%" in text or (isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped):
        raise ValueError(f"IP Address {text!r} with a zone or IPv4-mapped IPv6 form is not allowed")
    return found


def _parse_cidr(text: str) -> tuple[_Address, _Network]:
    address, slash, _ = text.partition("/")
    if not slash:
        raise ValueError(f"network address {text!r} has no prefix length")
    return _parse_ip(address), ipaddress.ip_network(text, strict=False)


def _ip(found: _Value) -> _Address:
    return _parse_ip(_text(found, "ip"))


def _network(found: _Value) -> _Network:
    return _parse_cidr(_text(found, "cidr"))[1]


def _cidr(text: str) -> _Value:
    address, network = _parse_cidr(text)
    return {"cidr": f"{address}/{network.prefixlen}"}


def _contains_ip(found: _Value, text: str | _Value) -> bool:
    return (_parse_ip(text) if isinstance(text, str) else _ip(text)) in _network(found)


def _contains_cidr(found: _Value, other: str | _Value) -> bool:
    inner = _parse_cidr(other)[1] if isinstance(other, str) else _network(other)
    outer = _network(found)
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def tried(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return tried


_URLS: tuple[Row, ...] = (
    ("url", _T.MAP, [_T.STRING], lambda text: _parse_url(text) and {"url": text}, False),
    ("isURL", _T.BOOL, [_T.STRING], _parses(_parse_url), False),
    ("getScheme", _T.STRING, [_T.MAP], lambda a: _url(a).scheme, True),
    ("getHost", _T.STRING, [_T.MAP], lambda a: _url(a).netloc.rpartition("@")[2], True),
    ("getHostname", _T.STRING, [_T.MAP], lambda a: _url(a).hostname or "", True),
    ("getPort", _T.STRING, [_T.MAP], _port, True),
    ("getEscapedPath", _T.STRING, [_T.MAP], lambda a: quote(_url(a).path, safe="/%:@!$&'()*+,;=~"), True),
    ("getQuery", _T.MAP, [_T.MAP], lambda a: parse_qs(_url(a).query, keep_blank_values=True), True),
)
_IPS: tuple[Row, ...] = (
    ("ip", _T.MAP, [_T.STRING], lambda text: {"ip": str(_parse_ip(text))}, False),
    ("isIP", _T.BOOL, [_T.STRING], _parses(_parse_ip), False),
    ("ip.isCanonical", _T.BOOL, [_T.STRING], lambda text: str(_parse_ip(text)) == text, False),
    ("family", _T.INT, [_T.MAP], lambda a: _ip(a).version, True),
    ("isUnspecified", _T.BOOL, [_T.MAP], lambda a: _ip(a).is_unspecified, True),
    ("isLoopback", _T.BOOL, [_T.MAP], lambda a: _ip(a).is_loopback, True),
    ("isGlobalUnicast", _T.BOOL, [_T.MAP], lambda a: _is_global_unicast(_ip(a)), True),
    ("isLinkLocalUnicast", _T.BOOL, [_T.MAP], lambda a: _ip(a).is_link_local, True),
    ("isLinkLocalMulticast", _T.BOOL, [_T.MAP], lambda a: _is_link_local_multicast(_ip(a)), True),
)
_CIDRS: tuple[Row, ...] = (
    ("cidr", _T.MAP, [_T.STRING], _cidr, False),
    ("isCIDR", _T.BOOL, [_T.STRING], _parses(_parse_cidr), False),
    ("containsIP", _T.BOOL, [_T.MAP, _T.STRING], _contains_ip, True),
    ("containsIP", _T.BOOL, [_T.MAP, _T.MAP], _contains_ip, True),
    ("containsCIDR", _T.BOOL, [_T.MAP, _T.STRING], _contains_cidr, True),
    ("containsCIDR", _T.BOOL, [_T.MAP, _T.MAP], _contains_cidr, True),
    ("ip", _T.MAP, [_T.MAP], lambda a: {"ip": _text(a, "cidr").partition("/")[0]}, True),
    ("masked", _T.MAP, [_T.MAP], lambda a: {"cidr": str(_network(a))}, True),
    ("prefixLength", _T.INT, [_T.MAP], lambda a: _network(a).prefixlen, True),
)
ADDRESSES: tuple[Row, ...] = (*_URLS, *_IPS, *_CIDRS)


def _is_global_unicast(found: _Address) -> bool:
    limited = str(found) == "255.255.255.255"
    return not (
        limited or found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local
    )


def _is_link_local_multicast(found: _Address) -> bool:
    return found.is_multicast and (
        found in ipaddress.ip_network("224.0.0.0/24")
        if found.version == 4
        else int(found) >> 112 & 0xFF0F == 0xFF02
    )
