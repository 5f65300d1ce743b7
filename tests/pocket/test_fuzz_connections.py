"""Connections that mean no good: no HTTP, half open, slow, thousands, or never read. Others are served on."""

import gzip
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.pocket.apiserver.storage.watch import QUEUE_LIMIT

from .conftest import Http, Server, config_map, new_server
from .hostile import Hostile

MAPS = "/api/v1/namespaces/default/configmaps"
BOUND = 3.0
"""Seconds in which a health check is answered whatever else goes on; this machine may be busy."""


@pytest.fixture(scope="module")
def hostile(server: Server) -> Iterator[Hostile]:
    found = Hostile(server, server.tls())
    yield found
    found.close()


@pytest.fixture
def prompt(hostile: Hostile) -> Callable[[], None]:
    """Asks a new connection for the server's health, within the bound."""

    def ask() -> None:
        hostile.close()
        start = time.monotonic()
        assert hostile.send("GET", "/readyz").body == b"ok"
        assert time.monotonic() - start < BOUND

    return ask


def dial(server: Server, stack: ExitStack, tls: ssl.SSLContext | None) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    if tls is None:
        return stack.enter_context(plain)
    return stack.enter_context(tls.wrap_socket(plain, server_hostname="127.0.0.1"))


def settled(hostile: Hostile, limit: int) -> int:
    """The server's descriptors once closed connections have been noticed, or after the bound."""
    end = time.monotonic() + BOUND
    while hostile.descriptors() > limit and time.monotonic() < end:
        hostile.send("GET", "/readyz")
    return hostile.descriptors()


GET = f"GET {MAPS} HTTP/1.1\r\nHost: x\r\n".encode()
NO_HTTP = {
    "HTTP/0.9": b"GET /readyz\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "zeros": b"\0" * 5000,
    "no method": b" / HTTP/1.1\r\n\r\n",
    "unknown method": b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long target": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    "a long header": GET + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
    "many headers": GET + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "a negative length": GET + b"Content-Length: -5\r\n\r\n",
    "two lengths": GET + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length and chunks": GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": GET.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: x\n\n",
    "compressed nonsense": GET.replace(b"GET", b"POST")
    + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("case", NO_HTTP)
def test_bytes_that_are_no_request_end_only_their_connection(
    hostile: Hostile, prompt: Callable[[], None], case: str
) -> None:
    answer = hostile.raw(NO_HTTP[case], timeout=0.5)
    assert not answer.startswith(b"HTTP/1.1 5"), (answer, hostile.last_trouble())
    assert b"Traceback" not in answer
    prompt()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 600, b"\0", b""])
def test_bytes_that_are_no_tls_end_only_their_connection(
    hostile: Hostile, prompt: Callable[[], None], junk: bytes
) -> None:
    hostile.raw(junk, tls=False, timeout=0.3)
    prompt()


def test_pipelined_requests_are_answered_in_order(hostile: Hostile) -> None:
    with ExitStack() as stack:
        sock = dial(hostile.server, stack, hostile.tls)
        sock.sendall(
            b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/version", b"/readyz") * 20)
        )
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = b"".join(iter(lambda: sock.recv(65536), b""))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 200 OK")[1:]]
    assert [body == b"ok" for body in bodies] == [False, True] * 20 + [True]


def test_a_compressed_bomb_is_too_large(hostile: Hostile) -> None:
    before = hostile.resident()
    body = gzip.compress(b" " * 200_000_000)
    reply = hostile.send("POST", MAPS, body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert hostile.judge(reply).code == 413
    assert hostile.resident() < before + 50, "megabytes"


def test_half_open_and_slow_connections_keep_nobody_waiting(
    hostile: Hostile, prompt: Callable[[], None]
) -> None:
    before = hostile.descriptors()
    with ExitStack() as stack:
        for _ in range(200):
            dial(hostile.server, stack, None)  # and no handshake
        for _ in range(100):
            dial(hostile.server, stack, hostile.tls).sendall(b"GET / HT")
        for _ in range(50):
            slow = dial(hostile.server, stack, hostile.tls)
            slow.sendall(f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{".encode())
        prompt()
        assert hostile.json("POST", MAPS, {"metadata": {"generateName": "a"}}).code == 201
    assert settled(hostile, before + 5) <= before + 5


@pytest.mark.parametrize("count", [150, pytest.param(3000, marks=pytest.mark.slow)])
def test_thousands_of_watches_and_idle_connections_are_served_and_forgotten(
    hostile: Hostile, prompt: Callable[[], None], count: int
) -> None:
    before, memory = hostile.descriptors(), hostile.resident()
    revision = hostile.json("POST", MAPS, {"metadata": {"generateName": "w"}}).json["metadata"][
        "resourceVersion"
    ]
    request = f"GET {MAPS}?watch=1&resourceVersion={revision} HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        watches = [dial(hostile.server, stack, hostile.tls) for _ in range(count)]
        for watch in watches:
            watch.sendall(request.encode())
        for watch in watches:
            assert watch.recv(65536).startswith(b"HTTP/1.1 200 OK")
        for _ in range(count // 3):
            dial(hostile.server, stack, hostile.tls)
        made = hostile.json("POST", MAPS, {"metadata": {"generateName": "seen-by-all-"}}).json["metadata"][
            "name"
        ]
        for watch in watches:
            assert made.encode() in watch.recv(65536)
        prompt()
        each = (hostile.resident() - memory) * 1000 / (count + count // 3)
    assert each < 90, "kilobytes of each connection"
    assert settled(hostile, before + 5) <= before + 5


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Server]:
    server = new_server(tmp_path / "small")
    server.start()
    yield server
    server.end()


async def test_watchers_that_never_read_are_cut_off_and_cost_little(small: Server) -> None:
    http, hostile = Http(small), Hostile(small, small.tls())
    big = config_map("big", k="x" * 50_000)
    revision = (await http.post(MAPS, big)).body["metadata"]["resourceVersion"]
    before = hostile.resident()
    with ExitStack() as stack:
        for _ in range(30):
            deaf = dial(small, stack, hostile.tls)
            deaf.sendall(
                f"GET {MAPS}?watch=1&resourceVersion={revision} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
        for number in range(600):
            assert (await http.patch(f"{MAPS}/big", {"data": {"n": str(number)}})).code == 200
        grown = hostile.resident() - before
    await http.close()
    hostile.close()
    assert grown < 90, "megabytes; the history of 600 changes is 30 of them"


@pytest.mark.slow
async def test_a_reader_who_falls_behind_is_disconnected(small: Server) -> None:
    http, hostile = Http(small), Hostile(small, small.tls())
    revision = (await http.post(MAPS, config_map("big", k="x" * 2000))).body["metadata"]["resourceVersion"]
    with ExitStack() as stack:
        deaf = dial(small, stack, hostile.tls)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET {MAPS}?watch=1&resourceVersion={revision} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await http.patch(f"{MAPS}/big", {"data": {"n": "first"}})
        before = hostile.descriptors()
        for number in range(QUEUE_LIMIT + 4000):  # what is queued, and what sockets hold
            await http.patch(f"{MAPS}/big", {"data": {"n": str(number)}})
            if hostile.descriptors() < before:
                break
        assert hostile.descriptors() < before, "still connected"
    await http.close()
    hostile.close()
