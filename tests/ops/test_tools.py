"""Programs are fetched from a server on this machine; what is not as published never gets into the cache."""

import asyncio
import hashlib
import io
import os
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lab.base import process, programs
from lab.base.errors import LabError, UsageError
from lab.ops.doctor import doctor
from lab.ops.tools.fetch import fetch
from lab.ops.tools.run import look, tools
from lab.ops.tools.table import TOOLS, Tool, chosen, digest_in, machine
from lab.topology.model import EngineName

PROGRAM = b"#!/bin/sh\necho v1.2.3\n"


@dataclass
class Site:
    """A release site: what it serves by path, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, name: str, content: bytes) -> None:
        self.files[name] = content
        self.files[f"{name}.sha256"] = f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()

    def tool(self, name: str, member: str = "") -> Tool:
        return replace(TOOLS[0], url=f"{self.url}/{name}", checksum=".sha256", member=member)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request.path.lstrip("/"))
        content = self.files.get(self.asked[-1])
        return web.Response(body=content) if content is not None else web.Response(status=404)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    server = web.Server(found.answer)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield found
    listener.close()
    await server.shutdown(1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_TOOLS", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path / "cache"


def put(path: Path, program: bytes) -> None:
    """An executable file."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(program)
    path.chmod(0o755)


async def test_a_program_as_published_is_put_into_the_cache_and_found_there(site: Site, cache: Path) -> None:
    site.publish("kind", PROGRAM)
    assert await fetch(site.tool("kind")) == cache / "kind"
    assert programs.which("kind") == str(cache / "kind")
    assert (await process.run(("kind",), timeout=10)).stdout == "v1.2.3\n"


async def test_a_program_of_another_checksum_is_refused_and_not_kept(site: Site) -> None:
    site.publish("kind", PROGRAM)
    site.files["kind"] = b"something else"
    with pytest.raises(LabError, match="is not what was published") as caught:
        await fetch(site.tool("kind"))
    assert hashlib.sha256(PROGRAM).hexdigest() in str(caught.value)
    assert programs.which("kind") is None


async def test_a_program_is_taken_out_of_its_archive(site: Site, cache: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("linux/helm")
        entry.size = len(PROGRAM)
        archive.addfile(entry, io.BytesIO(PROGRAM))
    site.publish("helm.tar.gz", packed.getvalue())
    path = await fetch(site.tool("helm.tar.gz", "linux/helm"))
    assert path.read_bytes() == PROGRAM
    with pytest.raises(LabError, match="has no linux/other"):
        await fetch(site.tool("helm.tar.gz", "linux/other"))


async def test_nothing_is_fetched_where_no_checksum_is_published(site: Site) -> None:
    site.files["kind"] = PROGRAM
    with pytest.raises(LabError, match=r"kind\.sha256: 404") as caught:
        await fetch(site.tool("kind"))
    assert site.asked == ["kind.sha256"]
    assert "HTTPS_PROXY" in caught.value.remedy


async def test_a_page_instead_of_a_checksum_is_quoted(site: Site) -> None:
    site.publish("kind", PROGRAM)
    site.files["kind.sha256"] = b"<html>please log in</html>"
    with pytest.raises(LabError, match="please log in"):
        await fetch(site.tool("kind"))


async def test_a_site_that_is_away_is_named(site: Site) -> None:
    with pytest.raises(LabError, match="cannot download http://127"):
        await fetch(replace(site.tool("kind"), url="http://127.0.0.1:9/kind"))


def test_what_is_on_path_comes_before_what_is_in_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = cache.parent / "own"
    for folder in (own, cache):
        put(folder / "kind", PROGRAM)
    monkeypatch.setenv("PATH", str(own))
    assert programs.which("kind") == str(own / "kind")
    assert programs.candidates("kind") == (str(own / "kind"), str(cache / "kind"))


async def test_a_linkerd_of_another_version_is_not_the_old_one(cache: Path) -> None:
    put(cache / "linkerd", b"#!/bin/sh\necho edge-26.8.3\n")
    new, old = [await look(tool) for tool in chosen(["linkerd", "linkerd-2.14"])]
    assert (new.version, new.path, old.path) == ("edge-26.8.3", str(cache / "linkerd"), "")


async def test_a_program_that_does_not_run_says_why(cache: Path) -> None:
    put(cache / "helm", b"#!/bin/sh\necho no such library >&2\nexit 3\n")
    (tool,) = chosen(["helm"])
    seen = await look(tool)
    assert "ended with code 3" in seen.problem


def test_nothing_is_downloaded_without_consent_and_all_of_it_is_named(cache: Path) -> None:
    asked: list[str] = []
    with pytest.raises(UsageError) as caught:
        tools((), lambda question: bool(asked.append(question)))
    assert all(f"{name} " in asked[0] for name in ("kind", "kubectl", "linkerd"))
    assert str(cache) in asked[0]
    assert "helm" not in asked[0]
    assert "lab tools --yes" in caught.value.remedy


def test_every_address_is_one_of_the_makers_and_safe() -> None:
    for tool in TOOLS:
        host = tool.source(machine()).split("/")[2]
        assert tool.url.startswith("https://")
        assert host in ("github.com", "dl.k8s.io", "get.helm.sh")
        assert tool.release in tool.url


def test_an_unknown_tool_and_machine_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        chosen(["kubctl"])
    assert "kubectl" in caught.value.remedy
    with pytest.raises(LabError, match="riscv64"):
        TOOLS[0].source("riscv64")


@pytest.mark.parametrize("text", ["{}", "{}\n", "{}  kind-linux-amd64\n", "{} *kind-linux-amd64"])
def test_a_checksum_is_read_in_every_form_that_is_published(text: str) -> None:
    digest = "0A" * 32
    assert digest_in(text.format(digest), "x") == digest.lower()


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_TOOLS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert str(programs.cache()) == "/cache/multicluster-lab/bin"
    assert programs.search_path() == f"/nowhere{os.pathsep}/cache/multicluster-lab/bin"


def needs(engine: EngineName) -> dict[str, dict[str, Any]]:
    """What doctor says of an engine, by need."""
    return {row["need"]: row for row in doctor(engine).data["engines"][0]["findings"]}


def test_doctor_says_where_linkerd_is_which_version_and_what_for(cache: Path) -> None:
    missing = needs("existing")["linkerd"]
    assert missing["ok"]
    assert "needed unless `mesh: user` or `mesh: none`: `lab tools linkerd` fetches it" in missing["seen"]
    put(cache / "helm", b"#!/bin/sh\necho v3.20.0+gb2e4314\n")
    assert (
        needs("existing")["linkerd"]["seen"] == f"no CLI; v3.20.0+gb2e4314 in {cache}/helm stands in for it"
    )
    put(cache / "linkerd", b"#!/bin/sh\necho edge-26.8.3\n")
    found = needs("existing")["linkerd"]
    assert found["ok"]
    assert found["seen"] == f"edge-26.8.3 in {cache}/linkerd: installs, links and checks Linkerd"
    put(cache / "linkerd-2.14", b"#!/bin/sh\necho stable-2.14.10\n")
    assert "stable-2.14.10 in" in needs("existing")["linkerd"]["seen"]
