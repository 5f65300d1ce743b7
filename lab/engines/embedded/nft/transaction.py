"""nftables changes collected as netlink messages and committed at once, in the caller's namespace.

Written to the kernel's netlink format directly: rules with maps and verdict maps are beyond what the
netlink library offers, and no `nft` program is needed. Either everything of a transaction holds or nothing.
"""

import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.engines.embedded.nft.attributes import attribute, nested, number, parse, text
from lab.engines.embedded.nft.expressions import value, verdict_value

NETFILTER = 12
IPV4 = 2
SUBSYSTEM = 10
BATCH_BEGIN, BATCH_END = 16, 17
NEW_TABLE, DEL_TABLE, NEW_CHAIN, DEL_CHAIN, NEW_RULE, GET_RULE, DEL_RULE = 0, 2, 3, 5, 6, 7, 8
NEW_SET, DEL_SET, NEW_ELEMENT, DEL_ELEMENT = 9, 11, 12, 14
REQUEST, ACK, DUMP, CREATE, APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
ANONYMOUS, CONSTANT, MAP, TIMEOUT, DYNAMIC = 0x1, 0x2, 0x8, 0x10, 0x20
ERROR, DONE = 2, 3
VERDICT_TYPE = 0xFFFFFF00
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
ELEMENTS_PER_MESSAGE = 400
RECEIVE = 1 << 20


@dataclass(frozen=True)
class Hook:
    """Where a base chain is attached; `kind` is filter or nat."""

    kind: str
    name: str
    priority: int


@dataclass(frozen=True)
class Set:
    """A set or map: lengths in bytes, `data_len` 0 for a set, -1 for a verdict map.

    With a timeout (seconds) rules add to it, and what was not added again within it goes away.
    """

    name: str
    key_len: int
    data_len: int = 0
    timeout: int = 0


@dataclass(frozen=True)
class Element:
    """A key, and for maps its value: bytes, or the chain to go to."""

    key: bytes
    data: bytes | str | None = None


@dataclass
class Transaction:
    """Changes to one table, in order."""

    table: str
    messages: list[tuple[int, int, bytes]] = field(default_factory=list)
    _set_ids: int = 0

    def replace_table(self) -> None:
        """Start from an empty table, whether there was one or not."""
        self._add(NEW_TABLE, CREATE, text(1, self.table))
        self._add(DEL_TABLE, 0, text(1, self.table))
        self._add(NEW_TABLE, CREATE, text(1, self.table))

    def delete_table(self) -> None:
        """Remove the table, whether there was one or not."""
        self._add(NEW_TABLE, CREATE, text(1, self.table))
        self._add(DEL_TABLE, 0, text(1, self.table))

    def add_chain(self, name: str, hook: Hook | None = None) -> None:
        """A chain that others go to, or one that a hook of the kernel enters."""
        parts = [text(1, self.table), text(3, name)]
        if hook:
            parts.append(nested(4, number(1, HOOKS[hook.name]), number(2, hook.priority)))
            parts.append(text(7, hook.kind))
        self._add(NEW_CHAIN, CREATE, *parts)

    def flush_chain(self, name: str) -> None:
        self._add(DEL_RULE, 0, text(1, self.table), text(2, name))

    def delete_chain(self, name: str) -> None:
        self.flush_chain(name)
        self._add(DEL_CHAIN, 0, text(1, self.table), text(3, name))

    def add_rule(self, chain: str, *expressions: bytes, comment: str = "") -> None:
        """Append a rule; the comment can be read back."""
        parts = [text(1, self.table), text(2, chain), nested(4, *expressions)]
        if comment:
            raw = comment.encode() + b"\0"
            parts.append(attribute(7, struct.pack("BB", 0, len(raw)) + raw))
        self._add(NEW_RULE, CREATE | APPEND, *parts)

    def add_set(self, spec: Set) -> None:
        self._new_set(spec, 0)

    def delete_set(self, name: str) -> None:
        """Remove a set that no rule names any more."""
        self._add(DEL_SET, 0, text(1, self.table), text(2, name))

    def add_anonymous_map(self, key_len: int, data_len: int, elements: Sequence[Element]) -> tuple[str, int]:
        """A map that lives as long as the rule that looks it up; returns name and id for that lookup."""
        spec = Set("__map%d", key_len, data_len)
        set_id = self._new_set(spec, ANONYMOUS | CONSTANT)
        self._elements(NEW_ELEMENT, spec.name, elements, set_id)
        return spec.name, set_id

    def add_elements(self, name: str, elements: Sequence[Element]) -> None:
        self._elements(NEW_ELEMENT, name, elements, 0)

    def delete_elements(self, name: str, elements: Sequence[Element]) -> None:
        self._elements(DEL_ELEMENT, name, elements, 0)

    def _new_set(self, spec: Set, flags: int) -> int:
        self._set_ids += 1
        is_map = MAP if spec.data_len else 0
        flags |= is_map | (TIMEOUT | DYNAMIC if spec.timeout else 0)
        parts = [text(1, self.table), text(2, spec.name), number(3, flags)]
        parts += [number(4, 0), number(5, spec.key_len), number(10, self._set_ids)]
        if spec.data_len < 0:
            parts.append(number(6, VERDICT_TYPE))
        elif spec.data_len:
            parts += [number(6, 0), number(7, spec.data_len)]
        if spec.timeout:
            parts.append(attribute(11, struct.pack(">Q", spec.timeout * 1000)))
        self._add(NEW_SET, CREATE, *parts)
        return self._set_ids

    def _elements(self, kind: int, name: str, elements: Sequence[Element], set_id: int) -> None:
        for start in range(0, len(elements), ELEMENTS_PER_MESSAGE):
            chunk = elements[start : start + ELEMENTS_PER_MESSAGE]
            parts = [text(1, self.table), text(2, name)]
            if set_id:
                parts.append(number(4, set_id))
            body = nested(3, *(_element(e) for e in chunk))
            self._add(kind, CREATE if kind == NEW_ELEMENT else 0, *parts, body)

    def _add(self, kind: int, flags: int, *parts: bytes) -> None:
        self.messages.append((kind, flags, b"".join(parts)))


def _element(element: Element) -> bytes:
    parts = [value(1, element.key)]
    if isinstance(element.data, str):
        parts.append(verdict_value(2, -4, element.data))
    elif element.data is not None:
        parts.append(value(2, element.data))
    return nested(1, *parts)


@dataclass(frozen=True)
class Rule:
    """A rule as the kernel reports it."""

    table: str
    chain: str
    comment: str


class Nft:
    """A netlink socket in the network namespace that this thread is in when it is made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    @property
    def room(self) -> int:
        """How many bytes one transaction may have."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 4096

    def commit(self, transaction: Transaction) -> None:
        """Apply everything or nothing. Raises OSError that names what the kernel refused."""
        if not transaction.messages:
            return
        first = self._sequence + 1
        parts = [self._message(BATCH_BEGIN, REQUEST, b"", resource=SUBSYSTEM)]
        last = len(transaction.messages) - 1
        for index, (kind, flags, body) in enumerate(transaction.messages):
            ack = ACK if index == last else 0
            parts.append(self._message(SUBSYSTEM << 8 | kind, REQUEST | flags | ack, body))
        awaited = self._sequence
        parts.append(self._message(BATCH_END, REQUEST, b"", resource=SUBSYSTEM))
        self._socket.send(b"".join(parts))
        self._collect(transaction, first, awaited)

    def rules(self, table: str) -> list[Rule]:
        """The rules of a table as they are in the kernel now; none if there is no such table."""
        body = text(1, table)
        self._socket.send(self._message(SUBSYSTEM << 8 | GET_RULE, REQUEST | DUMP, body))
        found: list[Rule] = []
        while True:
            for kind, _sequence, data in _split(self._socket.recv(RECEIVE)):
                if kind in (ERROR, DONE):
                    return [r for r in found if r.table == table]
                fields = parse(data[4:])
                comment = fields.get(7, b"\0\0\0")[2:]
                found.append(Rule(_string(fields[1]), _string(fields[2]), _string(comment)))

    def _collect(self, transaction: Transaction, first: int, awaited: int) -> None:
        failure: OSError | None = None
        while True:
            for kind, sequence, data in _split(self._socket.recv(RECEIVE)):
                if kind != ERROR or sequence < first:
                    continue
                code = -struct.unpack_from("=i", data)[0]
                if code and failure is None:
                    number_in_batch = sequence - first - 1
                    failure = OSError(
                        code,
                        f"nftables table {transaction.table}: change {number_in_batch} of "
                        f"{len(transaction.messages)}: {os.strerror(code)}",
                    )
                if sequence == awaited or (code and sequence == first):
                    if failure:
                        raise failure
                    return

    def _message(self, kind: int, flags: int, body: bytes, resource: int = 0) -> bytes:
        self._sequence += 1
        family = 0 if resource else IPV4
        payload = struct.pack("=BB", family, 0) + struct.pack(">H", resource) + body
        return struct.pack("=IHHII", 16 + len(payload), kind, flags, self._sequence, 0) + payload


def _split(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    offset = 0
    while offset + 16 <= len(data):
        length, kind, _flags, sequence, _pid = struct.unpack_from("=IHHII", data, offset)
        yield kind, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def _string(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")
