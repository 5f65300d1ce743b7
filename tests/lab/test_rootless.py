"""A lab of an ordinary user: the same lab without any right, and clear words where that cannot be had."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Cli, RunningLab, left_behind

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed"),
]
USER = 12345
BECOME = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
PAIR = """
name: pair
clusters:
  west: {}
  east: {}
links:
  - {from: west, to: east, modes: [gateway]}
apps:
  - {app: echo, clusters: [east], export: gateway}
traffic:
  - {from: west, to: "http://echo-east.echo", rate: 10/s}
"""
# In a user namespace of its own, whose limit of further ones it sets to zero: nothing of the host changes.
CAGE = f"""
import os, sys
from lab.engines.embedded import namespaces as ns

made, make_maps = os.pipe(), os.pipe()
if child := os.fork():
    os.read(made[0], 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{{child}}/{{name}}", "w") as file:
            file.write("0 0 65536")
    os.write(make_maps[1], b"x")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
ns.unshare(ns.NEWUSER)
os.write(made[1], b"x")
os.read(make_maps[0], 1)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.setgroups([])
os.setresgid({USER}, {USER}, {USER})
os.setresuid({USER}, {USER}, {USER})
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def user(cli: Cli) -> Iterator[Cli]:
    """The command line of an ordinary user with a home of its own. (`cli` skips where no lab can run.)"""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(python).exists():
        pytest.skip(f"no {python}: other users cannot run the interpreter of this test")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    folder = Path(tempfile.mkdtemp(prefix="lab-user-"))
    (folder / "pair.yaml").write_text(PAIR)
    folder.chmod(0o755)
    os.chown(folder, USER, USER)
    env = {"PYTHONPATH": ":".join([*packages, str(ROOT)]), "HOME": str(folder)}
    own = Cli(folder / "labs", (*BECOME, python), env)
    try:
        yield own
    finally:
        own.run("down", "--all", "--purge", code=None)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lab(user: Cli) -> RunningLab:
    done = user.run("up", str(user.home.parent / "pair.yaml"), code=None)
    if done.returncode == 4:
        pytest.skip(f"this kernel gives ordinary users no namespaces: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return RunningLab(user, "pair")


def test_it_comes_up_with_traffic_between_the_clusters(lab: RunningLab) -> None:
    state = lab.status()
    assert state["state"] == "ready", state["problems"]
    assert lab.traffic("west", "echo-east")["answeredBy"] == {"east": 1.0}
    assert lab.run_client("west", "http://echo-east.echo")["cluster"] == "east"


def test_all_of_it_runs_as_that_user(lab: RunningLab) -> None:
    pids = [entry.split()[0] for entry in left_behind(lab.host_pid())]
    assert len(pids) > 10
    assert {Path("/proc", pid).stat().st_uid for pid in pids} == {USER}
    assert {path.stat().st_uid for path in lab.dir.root.rglob("*") if not path.is_symlink()} == {USER}


def test_packets_between_proxy_and_app_are_captured_in_clear(lab: RunningLab) -> None:
    file = lab.cli.home / "app.pcap"
    lab.run("capture", "east/echo/echo", "--side", "app", "--count", "40", "--for", "20s", "-w", str(file))
    assert b"GET / HTTP/1.1" in file.read_bytes()
    assert file.stat().st_uid == USER


def test_a_paused_cluster_is_seen_and_healed(lab: RunningLab) -> None:
    lab.run("fault.pause", "east")
    lab.eventually(
        "calls fail while east is paused", lambda: lab.traffic("west", "echo-east")["success"] < 0.5
    )
    assert lab.run("status", code=1).returncode == 1
    lab.run("fault.heal", "--all")
    lab.eventually("healthy again", lab.healthy, within=60)


def test_partitioned_clusters_do_not_reach_each_other(lab: RunningLab) -> None:
    lab.run("fault.partition", "west", "east")
    assert {link["state"] for link in lab.status()["links"]} == {"partitioned"}
    lab.run("fault.heal", "--all")
    lab.eventually("healthy again", lab.healthy, within=60)


def test_down_leaves_nothing(lab: RunningLab) -> None:
    pid = lab.host_pid()
    lab.run("down", "--purge")
    assert left_behind(pid) == []
    assert not lab.dir.root.exists()
    assert str(lab.cli.home) not in Path("/proc/self/mounts").read_text()


def test_without_namespaces_up_ends_with_4_the_reason_and_the_remedy(user: Cli) -> None:
    caged = replace(user, python=(user.python[-1], "-c", CAGE))
    seen = caged.run("up", str(user.home.parent / "pair.yaml"), "--lab", "caged", code=4).stderr
    assert "user.max_user_namespaces is 0" in seen
    assert "fix: as root: sysctl -w user.max_user_namespaces=" in seen
    assert "Traceback" not in seen


@pytest.mark.parametrize("verb", ["up", "list", "status", "down"])
def test_a_home_that_may_not_be_used_is_named(user: Cli, tmp_path: Path, verb: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    seen = replace(user, home=closed / "labs").run(verb, code=None)
    assert seen.returncode in (1, 2)
    assert str(closed) in seen.stderr
    assert "Permission denied" in seen.stderr
    assert "fix: " in seen.stderr
    assert "Traceback" not in seen.stderr
