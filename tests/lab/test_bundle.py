"""`lab bundle` on a real lab: complete, without a secret, and as much as there is when the lab is broken."""

import base64
import json
import os
import signal
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import planted
from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = pytest.mark.netns
USER = "zquserQ7"


@pytest.fixture(scope="module")
def lab(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab of one cluster with secrets in every corner, and east beside it."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "extra.yaml").write_text(yaml.safe_dump_all(planted.manifest()))
    topology = {
        "name": "evidence",
        "clusters": {"west": {}, "east": {}},
        "links": ["west -> east"],
        "apps": [{"app": "shop", "export": "flat"}],
        "traffic": [{"from": "west", "to": "http://front-east.shop", "rate": "20/s"}],
        "manifests": ["extra.yaml"],
    }
    file = folder / "evidence.yaml"
    file.write_text(yaml.safe_dump(topology))
    owned = replace(cli, more_env={"USER": USER, "LOGNAME": USER, "HOME": str(folder)})
    for running in bring_up(owned, str(file), "evidence"):
        applied = folder / "planted.yaml"
        applied.write_text(yaml.safe_dump_all([planted.says(), *planted.objects()]))
        running.kubectl("west", "apply", "-f", str(applied))
        running.eventually(
            "the pod has said everything",
            lambda running=running: (
                planted.canary("keylog")
                in running.kubectl("west", "logs", "-n", "planted", "talker", code=None)
            ),
        )
        yield running


def unpacked(lab: RunningLab, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A new bundle of a lab in a folder, and what the command said of it."""
    done = lab.cli.run("bundle", lab.name, "--output", str(folder / "b.tar.gz"), "--json")
    with tarfile.open(folder / "b.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "b", json.loads(done.stdout)


@pytest.fixture(scope="module")
def bundled(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, said = unpacked(lab, tmp_path_factory.mktemp("out"))
    assert said["missing"] == []
    return folder


def test_the_summary_comes_first(bundled: Path) -> None:
    with tarfile.open(bundled.with_suffix(".tar.gz")) as archive:
        assert archive.getnames()[:2] == ["b/index.html", "b/summary.md"]


@pytest.mark.parametrize("place", planted.PLACES)
def test_no_planted_secret_is_in_the_bundle(bundled: Path, place: str) -> None:
    secret = planted.canary(place).encode()
    everything = [path for path in bundled.rglob("*") if path.is_file()]
    leaks = [path for path in everything if secret in path.read_bytes()]
    leaks += [path for path in everything if base64.b64encode(secret)[:-4] in path.read_bytes()]
    assert leaks == []


def test_no_key_of_the_lab_is_in_the_bundle(lab: RunningLab, bundled: Path) -> None:
    text = b"".join(path.read_bytes() for path in bundled.rglob("*") if path.is_file())
    assert b"PRIVATE KEY-----" not in text
    for key in lab.dir.root.rglob("*.key"):
        assert key.read_bytes().splitlines()[1] not in text, key


def test_neither_the_user_nor_the_home_folder_is_named(lab: RunningLab, bundled: Path) -> None:
    text = b"".join(path.read_bytes() for path in bundled.rglob("*") if path.is_file())
    assert USER.encode() not in text
    assert str(lab.cli.home).encode() not in text
    assert lab.cli.more_env["HOME"].encode() not in text


def test_what_is_no_secret_is_still_there(bundled: Path) -> None:
    west = bundled / "clusters" / "west"
    settings = (west / "objects" / "ConfigMap.yaml").read_text()
    assert "db.password=REDACTED" in settings
    assert "user=app" in settings
    talker = (west / "logs" / "planted" / "talker" / "talker.0.log").read_text()
    assert "postgres://REDACTED@db:5432/shop" in talker
    front = next((west / "proxies" / "shop").glob("front-*"))
    assert "REDACTED" in (front / "config_dump.json").read_text()
    assert "cluster_manager" in (front / "stats.txt").read_text()
    kernel = json.loads((bundled / "kernel" / "node-west.json").read_text())
    assert {"eth0", "cni0", "lo"} <= {link["ifname"] for link in kernel["links"]}
    assert all(kernel[part] for part in ("addresses", "routes", "neighbours", "nftRules", "sockets"))
    assert json.loads((bundled / "versions.json").read_text())["distributions"]["aiohttp"]
    assert json.loads((bundled / "status.json").read_text())["lab"] == "evidence"
    assert (bundled / "files" / "manifests-1" / "extra.yaml").exists()


@pytest.mark.slow
def test_a_lab_with_a_dead_api_server_gives_what_its_store_holds(lab: RunningLab, tmp_path: Path) -> None:
    lab.run("fault.api", "west")
    try:
        folder, said = unpacked(lab, tmp_path)
    finally:
        lab.run("fault.heal", "--all")
    assert [one["part"] for one in said["missing"]] == ["live objects of west"]
    assert "planted" in (folder / "clusters" / "west" / "objects" / "Pod.yaml").read_text()
    summary = (folder / "summary.md").read_text()
    assert "its API server does not answer" in summary
    assert "| api-1 | api | west | active |" in summary


def test_a_dead_lab_gives_what_is_on_disk_and_says_what_is_not(lab: RunningLab, tmp_path: Path) -> None:
    os.kill(lab.host_pid(), signal.SIGKILL)
    folder, said = unpacked(lab, tmp_path)
    parts = {one["part"] for one in said["missing"]}
    assert {"kernel facts", "Envoy configuration and counters", "live objects of west"} <= parts
    logs = folder / "clusters" / "west" / "logs" / "planted" / "talker" / "talker.0.log"
    assert "postgres://REDACTED@db:5432/shop" in logs.read_text()
    assert planted.canary("echoed") not in logs.read_text()
    assert "the lab does not run" in (folder / "summary.md").read_text()
