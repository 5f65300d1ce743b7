"""Linkerd in clusters that exist already, from `lab up` to `lab down`, with a stand-in for its CLI.

The clusters are real API servers with nodes; Linkerd's images stand for a program that only sleeps.
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lab.kube.kubeconfig import server_of
from lab.observe.state import LabState
from lab.ops.feed import feed
from lab.ops.labs import find
from tests.lab.conftest import Cli, RunningLab, bring_up
from tests.lab.hosts import Host
from tests.mesh.linkerd.conftest import LATEST, install

pytestmark = [pytest.mark.netns, pytest.mark.slow]
NEXT = "edge-26.9.1"
IMAGES = {"cr.l5d.io/linkerd/*": ["/bin/sleep", "86400"]}
FLAT = {"from": "west", "to": "east", "modes": ["flat"]}


@pytest.fixture
def host(cli: Cli, tmp_path: Path) -> Iterator[Host]:
    tools = {"LAB_TOOLS": str(tmp_path / "tools"), "PATH": "/usr/bin:/bin"}
    install(tmp_path / "tools", "linkerd", LATEST)
    cli = replace(cli, more_env={**cli.more_env, **tools})
    file = tmp_path / "bare.yaml"
    bare = {"name": "bare", "mesh": "none", "images": IMAGES, "clusters": {"west": {}, "east": {}}}
    file.write_text(yaml.safe_dump(bare))
    for lab in bring_up(cli, str(file), "bare"):
        yield Host(lab, tmp_path)


def linked(host: Host) -> str:
    """A guest's topology with a flat link; its clusters reach each other where the host's do."""
    file = Path(host.topology("meshed", ("west", "east"), mesh={"version": "latest"}, links=[FLAT]))
    document = yaml.safe_load(file.read_text())
    for name, cluster in document["clusters"].items():
        cluster["api"] = server_of(host.lab.dir.inside_kubeconfig, f"bare-{name}")[0]
    file.write_text(yaml.safe_dump(document))
    return str(file)


async def first_with_checks(name: str) -> LabState:
    """The first state with checks that a view of the lab gets; there are looks before it."""
    async with asyncio.timeout(60), aclosing(feed(find(name))) as states:
        looks = 0
        async for seen in states:
            if seen.checks:
                assert looks > 0
                return seen
            looks += 1
    raise AssertionError("a view never ends")


def test_linkerd_comes_up_is_checked_upgraded_and_leaves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = host.census("west")
    file, cli = linked(host), host.cli
    planned = [row["command"] for row in cli.json("plan", file) if row["verb"] == "command"]
    assert sum("link-gen" in line for line in planned) == 1
    assert host.census("west") == before
    try:
        cli.run("up", file)
        meshed = RunningLab(cli, "meshed")
        status = meshed.status()
        assert [(link["state"], link["modes"]) for link in status["links"]] == [("up", ["flat"])]
        assert {one["result"] for one in status["checks"]} == {"success", "warning"}
        assert {one["cluster"] for one in status["checks"]} == {"west", "east"}
        for key, value in cli.env.items():
            monkeypatch.setenv(key, value)
        viewed = asyncio.run(first_with_checks("meshed"))
        assert {(one.cluster, one.what) for one in viewed.checks} == {
            (one["cluster"], one["what"]) for one in status["checks"]
        }
        assert "nothing to do" in cli.run("plan", file).stdout

        (host.folder / "tools" / "linkerd").unlink()
        install(host.folder / "tools", "linkerd", NEXT)
        steps = {row["target"]: row["reason"] for row in cli.json("plan", file) if "reason" in row}
        assert steps["west"] == f"is version {LATEST}, wanted {NEXT}"
        assert "another version of the mesh" in steps["west -> east"]
        cli.run("up", file)
        assert NEXT in host.kubectl("get", "deployments", "-n", "linkerd", "-o", "yaml")
        assert "nothing to do" in cli.run("plan", file).stdout
    finally:
        cli.run("down", "--lab", "meshed", "--purge", code=None)
    assert host.census("west") == before
