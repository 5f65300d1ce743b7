"""A client without manners and what must hold whatever it sends; shared by the fuzz tests.

Strategies here are built from the server's own OpenAPI documents: mostly right objects with something wrong
in them, because objects that are wrong all over end at the first check.
"""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from .conftest import Server

Schema = dict[str, Any]
HONEST = {501: "ephemeral containers", 503: "", 504: "Too large resource version"}
"""Codes from 500 on that are answers and no accidents, with what their message must say."""


@dataclass(frozen=True)
class Budget:
    """How much one test tries, and from which seed; the test's name shows both."""

    examples: int
    seed: int

    def __str__(self) -> str:
        return f"{self.examples} examples, FUZZ_SEED={self.seed}"

    def explore(self, strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
        @seed(self.seed)
        @settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def run(case: Any) -> None:
            check(case)

        run()


def budgets(everyday: int, long: int) -> pytest.MarkDecorator:
    """Runs repeat themselves, to fail for a change and not by chance; FUZZ_SEED tries something new."""
    slow = pytest.param(Budget(long, int(os.environ.get("FUZZ_SEED", "2"))), marks=pytest.mark.slow)
    return pytest.mark.parametrize("budget", [Budget(everyday, 1), slow], ids=str)


@dataclass
class Answer:
    code: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Hostile:
    """Sends anything; `judge` says what must hold for every answer."""

    server: Server
    tls: ssl.SSLContext
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self.server.port, context=self.tls, timeout=10
            )
        try:
            self._connection.request(method, target, body, headers or {})
            reply = self._connection.getresponse()
            found = Answer(reply.status, reply.read(), dict(reply.headers))
        except (http.client.HTTPException, OSError):
            self.close()
            raise
        if reply.will_close:
            self.close()
        return found

    def json(self, method: str, target: str, value: Any, media: str = "application/json") -> Answer:
        return self.send(method, target, json.dumps(value).encode(), {"Content-Type": media})

    def judge(self, answer: Answer) -> Answer:
        if answer.code == 400 and "json" not in answer.headers.get("Content-Type", ""):
            assert b"Traceback" not in answer.body  # not even HTTP: the parser's own words
        elif answer.code >= 400:
            told = answer.json
            assert told["kind"] == "Status", told
            assert told["code"] == answer.code, told
            assert told["message"], told
            assert "Traceback" not in told["message"], told
            if answer.code >= 500:
                assert HONEST.get(answer.code, "never") in told["message"], (told, self.last_trouble())
        return answer

    def last_trouble(self) -> str:
        log = (self.server.root / "log").read_text(errors="replace")
        return log[log.rfind("request failed") :][-3000:]

    def raw(self, *chunks: bytes, tls: bool = True, timeout: float = 5.0) -> bytes:
        """Send bytes as they are; returns what came back until the server closed or fell silent."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=timeout) as plain:
            try:
                with self.tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain as sock:
                    for chunk in chunks:
                        sock.sendall(chunk)
                    return sock.recv(65536)
            except (OSError, ssl.SSLError):
                return b""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self) -> float:
        """Megabytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 1e6


JUNK = st.sampled_from([
    None, True, 0, -1, 2**63, 10**400, 1.5, 1e308, "", "x", "-", "\ud800", "a\0b", "x" * 300, "\u2603",
    [], {}, [None], [1], ["x"], [[]], [{}], {"x": None}, {"": ""}, {"x": {"x": []}}, [{"name": 1}],
])  # fmt: skip
TEXTS = st.sampled_from([
    "a", "b", "http", "TCP", "Always", "1Gi", "100m", "10.0.0.1", "lab/echo:1", "2024-01-01T00:00:00Z", "A_B",
    "25%", "v1", "Pod", "None", "../x", "*",
])  # fmt: skip
_DEPTH = 4


def from_schema(schema: Schema, components: dict[str, Schema], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema, one in eight not following it."""
    right = _right(schema, components, depth)
    return st.integers(0, 7).flatmap(lambda die: JUNK if die == 0 else right)


def _right(schema: Schema, components: dict[str, Schema], depth: int) -> st.SearchStrategy[Any]:
    if schema.get("allOf"):
        return _right(schema["allOf"][0], components, depth)
    if "$ref" in schema:
        return st.deferred(
            lambda: _right(components[schema["$ref"].rpartition("/")[2]], components, depth + 1)
        )
    match schema.get("type"):
        case "array":
            return st.lists(from_schema(schema.get("items") or {}, components, depth + 1), max_size=2)
        case "object":
            return _object(schema, components, depth)
        case "string":
            return TEXTS
        case "integer" | "number":
            return st.sampled_from([-1, 0, 1, 80, 65536, 2**40])
        case "boolean":
            return st.booleans()
        case _:
            return JUNK


def _object(schema: Schema, components: dict[str, Schema], depth: int) -> st.SearchStrategy[Any]:
    known = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    if depth > _DEPTH:
        return st.just({})
    if isinstance(extra, dict):
        return st.dictionaries(TEXTS, from_schema(extra, components, depth + 1), max_size=2)

    @st.composite
    def some(draw: Any) -> Any:
        names = draw(st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)) if known else []
        wanted = dict.fromkeys([*(schema.get("required") or []), *names])
        return {n: draw(from_schema(known[n], components, depth + 1)) for n in wanted if n in known}

    return some()


def overlaid(base: Any, other: Any) -> Any:
    """`base` with the fields of `other` laid over it; the first items of lists are merged too."""
    if isinstance(base, dict) and isinstance(other, dict):
        return {**base, **{k: overlaid(base.get(k), v) for k, v in other.items()}}
    if isinstance(base, list) and isinstance(other, list) and base and other:
        return [overlaid(base[0], other[0]), *other[1:]]
    return other
