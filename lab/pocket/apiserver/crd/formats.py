"""The string formats that a custom resource's schema may ask for; others are ignored, as upstream. Pure."""

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from urllib.parse import urlsplit

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SCALES = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
           "h": 3600 * 10**9}  # fmt: skip


def nanoseconds(text: str) -> int:
    """The length of a Go duration (`1h30m`, `250ms`). Raises ValueError for what is none."""
    sign, rest = (-1 if text.startswith("-") else 1), text.lstrip("+-")
    if rest == "0":
        return 0
    total, at = 0.0, 0
    while at < len(rest):
        found = _DURATION.match(rest, at)
        if found is None or rest[at] in "+-":
            break
        total += float(found[1]) * _SCALES[found[3]]
        at = found.end()
    if not rest or at != len(rest):
        raise ValueError(f"invalid duration {text!r}")
    return sign * round(total)


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return reads


def _date_time(text: str) -> None:
    if not re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d", text):
        raise ValueError(text)
    datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))


def _uri(text: str) -> None:
    found = urlsplit(text)
    if not (found.scheme or text.startswith("/")) or any(ord(char) <= 32 for char in text):
        raise ValueError(text)


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError(text)
    ipaddress.ip_network(text, strict=False)


def _uuid(version: str = "[0-9a-f]") -> Callable[[str], bool]:
    return _matches(
        rf"(?i)[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?[0-9a-f]{{4}}-?[0-9a-f]{{12}}"
    )


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "byte": _reads(lambda text: base64.b64decode(text, validate=True)),
    "cidr": _reads(_cidr),
    "date": _reads(date.fromisoformat),
    "datetime": _reads(_date_time),
    "duration": _reads(nanoseconds),
    "email": _matches(r"[^@\s]+@[^@\s]+"),
    "hexcolor": _matches(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": lambda text: len(text) <= 255 and bool(re.fullmatch(rf"(?i){_LABEL}(\.{_LABEL})*\.?", text)),
    "ipv4": _reads(ipaddress.IPv4Address),
    "ipv6": _reads(ipaddress.IPv6Address),
    "k8slongname": lambda text: len(text) <= 253 and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text)),
    "k8sshortname": lambda text: len(text) <= 63 and bool(re.fullmatch(_LABEL, text)),
    "mac": _matches(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2}"),
    "uri": _reads(_uri),
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": lambda text: _uuid("4")(text) and uuid.UUID(text).variant == uuid.RFC_4122,
    "uuid5": lambda text: _uuid("5")(text) and uuid.UUID(text).variant == uuid.RFC_4122,
}
RANGES: Mapping[str, int] = {"int32": 1 << 31, "int64": 1 << 63}


def fits(text: str, name: str) -> bool:
    """False only for a format that is known and not met."""
    known = FORMATS.get(name.replace("-", ""))
    return known is None or known(text)
