"""A real API server process on 127.0.0.1, with raw HTTP and the real kubectl as its clients."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .pki import Pki

KUBECTL = Path(sys.executable).parent / "kubectl"
JSON_PATCH, MERGE, STRATEGIC, APPLY = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
CACHE = Path(tempfile.gettempdir()) / "multicluster-lab-test-cache"


@dataclass(frozen=True)
class Reply:
    code: int
    body: Any
    headers: dict[str, str]


@dataclass
class Server:
    """One cluster's API server; `kill` and `start` keep its store and its port."""

    root: Path
    port: int
    pki: Pki
    process: subprocess.Popen[bytes] | None = None
    extra: list[str] = field(default_factory=list)
    prefix: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.launch()
        self._wait()

    def launch(self) -> None:
        """Start the process and do not wait for it to serve."""
        argv = [*self.prefix, sys.executable, "-m", "lab.pocket.apiserver.main", "--name", "test"]
        argv += ["--data", str(self.root), "--pki", str(self.pki.folder), "--cache", str(CACHE)]
        argv += ["--listen", f"127.0.0.1:{self.port}", *self.extra]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)

    def _wait(self) -> None:
        for _ in range(400):
            assert self.process is not None
            assert self.process.poll() is None, (self.root / "log").read_text()
            with socket.socket() as probe:
                probe.settimeout(0.05)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            signal.sigtimedwait([], 0.02)
        raise AssertionError(f"the server did not start: {(self.root / 'log').read_text()}")

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(10)
        self.process = None
        return code

    def tls(self, user: str | None = "admin") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.pki.folder / "ca.crt"))
        if user:
            context.load_cert_chain(self.pki.folder / f"{user}.crt", self.pki.folder / f"{user}.key")
        return context

    def kubectl(self, *words: str, text: str = "", code: int | None = 0, user: str = "admin") -> str:
        """Run kubectl; `code` None accepts any end. Returns stdout, or stdout and stderr on failure."""
        done = self._kubectl(words, text, user)
        if code is not None:
            assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def kubectl_err(self, *words: str, text: str = "") -> str:
        """What a successful kubectl says on stderr: warnings."""
        done = self._kubectl(words, text, "admin")
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr

    def _kubectl(self, words: tuple[str, ...], text: str, user: str) -> subprocess.CompletedProcess[str]:
        pki = self.pki.folder
        flags = ["--server", self.url, "--certificate-authority", str(pki / "ca.crt")]
        flags += ["--client-certificate", str(pki / f"{user}.crt"), "--client-key", str(pki / f"{user}.key")]
        flags += ["--cache-dir", str(self.root / "kubectl")]
        return subprocess.run(
            [str(KUBECTL), *flags, *words],
            input=text,
            text=True,
            capture_output=True,
            timeout=30,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "KUBECONFIG": os.devnull},
        )


class Http:
    """Requests as one user; replies are never raised, so tests can look at refusals."""

    def __init__(self, server: Server, user: str | None = "admin", token: str = "") -> None:
        self._server = server
        self._connector = aiohttp.TCPConnector(ssl=server.tls(user), limit=0)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.session = aiohttp.ClientSession(connector=self._connector, headers=headers)

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        headers = options.pop("headers", {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        async with self.session.request(
            method, self._server.url + path, data=body, headers=headers, **options
        ) as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return Reply(answer.status, json.loads(raw) if is_json and raw else raw, dict(answer.headers))

    async def get(self, path: str, **options: Any) -> Reply:
        return await self("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Reply:
        return await self("POST", path, body, **options)

    async def put(self, path: str, body: Any, **options: Any) -> Reply:
        return await self("PUT", path, body, **options)

    async def patch(self, path: str, body: Any, kind: str = MERGE, **options: Any) -> Reply:
        return await self("PATCH", path, body, headers={"Content-Type": kind}, **options)

    async def delete(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self("DELETE", path, body, **options)

    async def close(self) -> None:
        await self._connector.close(abort_ssl=True)  # no farewells: some servers here are dead by now
        await self.session.close()
        await settle()


async def settle() -> None:
    """Let the loop run what closing connections has scheduled."""
    for _ in range(5):
        await asyncio.sleep(0)


class Watch:
    """An open watch, read event by event; every read is bounded."""

    def __init__(self, http: Http, url: str, headers: dict[str, str] | None = None) -> None:
        self._http, self._url, self._headers = http, url, headers
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> "Watch":
        self._response = await self._http.session.get(self._url, headers=self._headers)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._response is not None and self._response.connection is not None:
            transport = self._response.connection.transport
            if transport is not None:
                transport.abort()  # a watch never ends by itself: no TLS farewell to wait for
            self._response.close()
            await settle()

    async def next(self, timeout: float = 5.0) -> tuple[str, Any]:
        assert self._response is not None
        async with asyncio.timeout(timeout):
            line = await self._response.content.readline()
        event = json.loads(line)
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        found = [await self.next() for _ in range(count)]
        return [(kind, obj["metadata"]["name"]) for kind, obj in found]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_server(root: Path, *extra: str) -> Server:
    root.mkdir(parents=True, exist_ok=True)
    return Server(root, free_port(), Pki(root / "pki"), extra=list(extra))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = new_server(tmp_path_factory.mktemp("cluster"))
    found.start()
    yield found
    if found.process is not None:
        found.end()


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Http]:
    client = Http(server)
    yield client
    await client.close()


@pytest.fixture
async def space(http: Http, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, with its default service account; returns its API path."""
    name = "t-" + "".join(c for c in request.node.name.lower() if c.isalnum())[-50:]
    await http.post("/api/v1/namespaces", {"metadata": {"name": name}})
    await http.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    return f"/api/v1/namespaces/{name}"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "lab/echo:1"}], **spec},
    }


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "lab/echo:1"}]},
            },
            **spec,
        },
    }
