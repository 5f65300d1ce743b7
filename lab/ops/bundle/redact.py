"""Takes secrets out of everything that leaves the machine in a bundle. Pure.

Three nets, one behind the other: values that are known to be secret (what Secrets and key files hold) are
replaced wherever they stand; structure says what is secret (the data of a Secret, variables, arguments and
keys with telling names); and patterns find what looks like one in any text (private keys, tokens, passwords
in URLs). Names of this machine's user and folders are replaced, too. Certificates are public and stay.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

REDACTED = "REDACTED"
REDACTED_BASE64 = base64.b64encode(REDACTED.encode()).decode()
"""In a Secret's data, so that the object stays one that an API server accepts."""
NAMES_OF_SECRETS = frozenset({"clusterCredentialsSecret"})
"""Keys of Linkerd's objects that name a Secret."""
NAMED_BY = ("name", "key", "header")
"""Keys beside a `value` that say what it is: variables of containers, headers of routes and of Envoy."""
LEAST_LITERAL = 8
"""Characters of a value from which on it is replaced everywhere; shorter ones would hit innocent words."""
PUBLIC_KEYS = frozenset({"ca.crt", "tls.crt", "crt.pem", "namespace"})
"""What Secrets hold besides secrets."""
WHOLE = re.compile(r"(?i)^(private_?key|password)$")
"""Keys whose value is secret also when it is an object: Envoy's data sources."""

_TELLING = (
    r"(?:pass(?:word|wd|phrase)|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|key[-_]data"
    r"|credential|authorization|cookie)"
)
_NAMES_ONLY = r"(?:name|names|ref|refs|path|paths|file|kind|type|url|uri|namespace|seconds|mode|audience)"
_PLAIN = r"(?:true|false|null|none|yes|no|~|\d+[smhd]?)"
_TELLING_KEY = re.compile(rf"(?i)(?:{_TELLING}s?(?:[-_.]?\w*)?|(?:^|[-_.])(?:pass|auth))$")
_NAMING_KEY = re.compile(rf"(?i){_NAMES_ONLY}$")
_FLAG = re.compile(rf"(?i)^--?[\w-]*{_TELLING}[\w-]*$")

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|[\w+/=\\\s]*)",
    re.S,
)
_BASE64_PEM = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{16,}={0,2}")
_TOKEN = re.compile(r"\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}")
_BASIC = re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:\w+\s+)?)[\w.~+/=-]{4,}")
_URL = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^/\s@\"'<>]{1,200}@")
_PAIR = re.compile(
    rf"(?i)({_TELLING}s?(?P<tail>[\w.-]{{0,40}})\\?[\"']?\s{{0,4}}[:=]\s{{0,4}})"
    rf"(?!{_PLAIN}\b|\\?[\"']?{REDACTED}|\\?[\"']?{REDACTED_BASE64})"
    r"(?P<quote>\\?[\"']?)(?P<value>[^\s,;\"'\\{}\[\]()<>]{3,})"
)
_ARGUMENT = re.compile(rf"(?i)(--?[\w-]{{0,40}}{_TELLING}[\w-]{{0,40}} )(?!-)([^\s\"']{{3,}})")
_HOMES = re.compile(r"(/home/|/Users/)([^/\s\"':]+)")


@dataclass(frozen=True)
class Redactor:
    """`literals` are secret values; `places` are folders and names of this machine with their stand-ins."""

    literals: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    _words: re.Pattern[str] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        parts = [rf"(?<![\w.-]){re.escape(place)}(?![\w-])" for place, _ in self.places]
        object.__setattr__(self, "_words", re.compile("|".join(parts)) if parts else None)

    def text(self, text: str) -> str:
        """Any text: a log, a manifest, a string of an object."""
        for literal in self.literals:
            if literal in text:
                text = text.replace(literal, REDACTED)
        text = _PRIVATE_KEY.sub(f"{REDACTED} PRIVATE KEY", text)
        text = _BASE64_PEM.sub(_base64_pem, text)
        text = _TOKEN.sub(REDACTED, text)
        text = _BASIC.sub(rf"\1{REDACTED}", text)
        text = _BEARER.sub(rf"\1{REDACTED}", text)
        text = _URL.sub(rf"\1{REDACTED}@", text)
        text = _PAIR.sub(_pair, text)
        text = _ARGUMENT.sub(rf"\1{REDACTED}", text)
        return self.names(text)

    def names(self, text: str) -> str:
        """Only the names of this machine's user and folders."""
        if self._words:
            said = dict(self.places)
            text = self._words.sub(lambda found: said[found[0]], text)
        return _HOMES.sub(r"\1USER", text)

    def value(self, value: Any) -> Any:
        """A JSON value of any shape."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            return self._list(value)
        return value

    def _string(self, text: str) -> str:
        if text[:1] in ("{", "["):
            try:
                inner = json.loads(text)
            except ValueError:
                return self.text(text)
            return json.dumps(self.value(inner), separators=(",", ":"), ensure_ascii=False)
        return self.text(text)

    def _mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if value.get("kind") == "Secret":
            value = {**value, **_emptied(value, "data", REDACTED_BASE64), **_emptied(value, "stringData")}
        if isinstance(value.get("value"), str) and any(is_telling(str(value.get(k, ""))) for k in NAMED_BY):
            value = {**value, "value": REDACTED}
        return {self.text(str(key)): self._item(str(key), item) for key, item in value.items()}

    def _item(self, key: str, item: Any) -> Any:
        whole = WHOLE.match(key) and isinstance(item, Mapping)
        telling = isinstance(item, str) and item not in ("", REDACTED_BASE64) and is_telling(key)
        return REDACTED if whole or telling else self.value(item)

    def _list(self, value: Iterable[Any]) -> list[Any]:
        done: list[Any] = []
        after_flag = False
        for item in value:
            done.append(REDACTED if after_flag and isinstance(item, str) else self.value(item))
            after_flag = isinstance(item, str) and _FLAG.match(item) is not None
        return done


def is_telling(key: str) -> bool:
    """Whether a key or variable of this name holds a secret, and not a name of or a path to one."""
    if key in NAMES_OF_SECRETS or _NAMING_KEY.search(key):
        return False
    return _TELLING_KEY.search(key) is not None


def literals(secrets: Iterable[Mapping[str, Any]], keys: Iterable[str] = ()) -> tuple[str, ...]:
    """The secret values of Secrets and key files, as they are and in base64, longest first."""
    found: set[str] = set()
    for secret in secrets:
        for key, encoded in (secret.get("data") or {}).items():
            if key not in PUBLIC_KEYS:
                found |= _forms(encoded)
    for text in keys:
        found |= {text.strip(), base64.b64encode(text.encode()).decode()}
    long = {one for one in found if len(one) >= LEAST_LITERAL and "BEGIN CERTIFICATE" not in one}
    return tuple(sorted(long, key=lambda one: (-len(one), one)))


def _forms(encoded: str) -> set[str]:
    try:
        return {encoded, base64.b64decode(encoded).decode().strip()}
    except (binascii.Error, UnicodeDecodeError):
        return {encoded}


def _emptied(secret: Mapping[str, Any], part: str, said: str = REDACTED) -> dict[str, Any]:
    return {part: dict.fromkeys(secret[part], said)} if isinstance(secret.get(part), Mapping) else {}


def _base64_pem(found: re.Match[str]) -> str:
    text = found[0].rstrip("=")
    try:
        decoded = base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return found[0]
    return REDACTED if b"PRIVATE KEY" in decoded else found[0]


def _pair(found: re.Match[str]) -> str:
    if _NAMING_KEY.search(found["tail"]):
        return found[0]
    return f"{found[1]}{found['quote']}{REDACTED}"
