"""What a user does to a lab by accident or in anger: interrupts, kills, crashes and two commands at once."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Cli, RunningLab, bring_up, left_behind

pytestmark = [pytest.mark.netns, pytest.mark.slow]
TINY = "name: tiny\nclusters:\n  one: {}\n"
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
PLANTED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: planted, namespace: default}
data: {key: value}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: planted, namespace: default}
spec:
  selector: {matchLabels: {app: planted}}
  template:
    metadata: {labels: {app: planted}}
    spec:
      containers: [{name: app, image: pause, command: [sleep, infinity]}]
"""
MOMENTS = ("starting the sandbox", "creating the network", "starting the node", "install mesh", "waiting:")
KINDS = (
    "apiserver",
    "node",
    "lab-network",
    "envoy",
    "linkerd-proxy",
    "echo",
    "loadgen",
    "destination",
    "identity",
    "proxy-injector",
    "service-mirror",
    "controller",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("topologies")
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "pair.yaml").write_text(PAIR)
    return folder


@pytest.fixture(scope="module")
def pair(cli: Cli, files: Path) -> Iterator[RunningLab]:
    yield from bring_up(cli, str(files / "pair.yaml"), "pair")


@pytest.fixture
def home(cli: Cli, tmp_path: Path) -> Iterator[Cli]:
    """A home for labs of one test, all down afterwards. (`cli` skips where no lab can run.)"""
    own = Cli(tmp_path / "home")
    yield own
    own.run("down", "--all", "--purge", code=None)


@pytest.fixture
def tiny(home: Cli, files: Path) -> RunningLab:
    home.run("up", str(files / "tiny.yaml"))
    return RunningLab(home, "tiny")


def started(cli: Cli, *words: str) -> "subprocess.Popen[str]":
    """A verb in a process group of its own, as a shell would run it."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab.cli", *words],
        env=cli.env,
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
    )


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """What the verb says up to the line with the text; the process ends or says it, so this does, too."""
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    pytest.fail(f"{text!r} was never said:\n{said}")


def stopped_at(cli: Cli, file: Path, moment: str, number: signal.Signals) -> tuple[int, str]:
    """Run `up` and send its process group a signal at a moment; its exit code and what it said."""
    with started(cli, "up", str(file)) as process:
        said = read_until(process, moment)
        os.killpg(process.pid, number)
        assert process.stderr
        said += process.stderr.read()
        return process.wait(timeout=20), said


def processes(lab: RunningLab, name: str) -> set[int]:
    """The lab's processes of that name, found by their pid namespace."""
    rows = (entry.split(" ", 1) for entry in left_behind(lab.host_pid()))
    return {int(pid) for pid, comm in rows if comm == name}


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def ports(lab: RunningLab) -> set[int]:
    """The API servers' ports on the host."""
    return {int(port) for port in re.findall(r"https://127\.0\.0\.1:(\d+)", lab.dir.kubeconfig.read_text())}


def listening() -> set[int]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"}


def gone(namespace_pid: int, found: Callable[[], list[str]]) -> None:
    """The kernel ends a pid namespace's processes at once, but not in one instant."""
    deadline = time.monotonic() + 5
    while rest := found():
        assert time.monotonic() < deadline, f"left of {namespace_pid}: {rest}"


def of_namespace(lab: RunningLab) -> Callable[[], list[str]]:
    """Finds what runs in the lab's pid namespace, also after its first process has ended."""
    inode = os.readlink(f"/proc/{lab.host_pid()}/ns/pid")

    def found() -> list[str]:
        left = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "ns" / "pid") == inode:
                    left.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
            except OSError:
                continue  # it ended while we looked
        return left

    return found


def crash(lab: RunningLab) -> None:
    """kill -9 of the lab's host process; everything in it ends with it."""
    pid, found = lab.host_pid(), of_namespace(lab)
    assert len(found()) > 5
    os.kill(pid, signal.SIGKILL)
    gone(pid, found)


def test_ctrl_c_at_any_moment_of_up_leaves_a_lab_that_up_completes(home: Cli, files: Path) -> None:
    for moment in MOMENTS:
        code, said = stopped_at(home, files / "tiny.yaml", moment, signal.SIGINT)
        assert (code, "Traceback" in said) == (130, False), (moment, said)
        assert "interrupted" in said, (moment, said)
        if moment == "install mesh":
            home.run("down", "--purge")  # half of a lab, gone; the rest of the moments begin anew
    home.run("up", str(files / "tiny.yaml"))
    assert RunningLab(home, "tiny").healthy()


def test_kill_at_any_moment_of_up_leaves_a_lab_that_up_completes(home: Cli, files: Path) -> None:
    for moment in MOMENTS[:-1]:
        assert stopped_at(home, files / "tiny.yaml", moment, signal.SIGKILL)[0] == -signal.SIGKILL
    home.run("up", str(files / "tiny.yaml"))
    lab = RunningLab(home, "tiny")
    assert lab.healthy()
    assert len(processes(lab, "lab-tiny")) == 1


@pytest.mark.parametrize("moment", ["starting the sandbox", "install mesh"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_down_removes_what_a_stopped_up_left(
    home: Cli, files: Path, moment: str, number: signal.Signals
) -> None:
    stopped_at(home, files / "tiny.yaml", moment, number)
    home.run("down", "--all", "--purge")
    root = str(home.home / "tiny")
    running = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and root.encode() in _command_line(entry)
    ]
    assert (running, root in mounts(), Path(root).exists()) == ([], False, False)


def _command_line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_process_comes_back_and_the_lab_gets_well(pair: RunningLab, kind: str) -> None:
    pair.eventually("a healthy lab to start from", pair.healthy, within=40)
    before = processes(pair, kind)
    assert before, f"no process {kind}"
    os.kill(max(before), signal.SIGKILL)
    pair.eventually(
        f"a new {kind}",
        lambda: len(processes(pair, kind)) == len(before) and processes(pair, kind) != before,
        within=15,
    )
    pair.eventually("healthy again", pair.healthy, within=45)


def test_killing_the_host_process_leaves_nothing(tiny: RunningLab) -> None:
    api = ports(tiny)
    assert api <= listening()
    crash(tiny)
    assert str(tiny.dir.root) not in mounts()
    assert not api & listening()
    assert not [name for name in os.listdir("/sys/class/net") if name.startswith(("node", "lab0"))]


def test_after_a_crash_status_says_down_and_up_brings_the_objects_back(tiny: RunningLab, files: Path) -> None:
    (files / "planted.yaml").write_text(PLANTED)
    tiny.kubectl("one", "apply", "-f", str(files / "planted.yaml"))
    uid = ("get", "configmap,deployment", "planted", "-o", "jsonpath={.items[*].metadata.uid}")
    planted = tiny.kubectl("one", *uid)
    crash(tiny)
    seen = tiny.run("status", code=1)
    assert "Traceback" not in seen.stderr
    assert "down" in seen.stdout
    assert "lab up" in seen.stdout
    tiny.cli.run("up", str(files / "tiny.yaml"))
    assert tiny.kubectl("one", *uid) == planted
    tiny.kubectl("one", "rollout", "status", "deployment/planted", "--timeout=30s")


def test_down_after_a_crash_works_and_so_does_a_second_down(tiny: RunningLab) -> None:
    crash(tiny)
    assert "not running" in tiny.run("down").stdout
    assert "not running" in tiny.run("down").stdout
    tiny.run("down", "--purge")
    assert not tiny.dir.root.exists()


def test_down_works_without_a_readable_topology_file(tiny: RunningLab) -> None:
    pid = tiny.host_pid()
    tiny.dir.topology.write_text("clusters: [")
    tiny.cli.run("list")
    tiny.run("down", "--purge")
    assert left_behind(pid) == []
    assert not tiny.dir.root.exists()


def test_a_second_up_says_who_works_on_the_lab(home: Cli, files: Path) -> None:
    with started(home, "up", str(files / "tiny.yaml")) as first:
        read_until(first, "starting")
        second = home.run("up", str(files / "tiny.yaml"), code=1)
        assert f"being worked on by `up` (pid {first.pid})" in second.stderr
        assert "fix:" in second.stderr
        assert first.stderr
        said = first.stderr.read()
        assert first.wait(timeout=60) == 0, said


def test_labs_side_by_side_do_not_disturb_each_other_and_down_all_takes_both(
    tiny: RunningLab, files: Path
) -> None:
    other = RunningLab(tiny.cli, "other")
    tiny.cli.run("up", str(files / "tiny.yaml"), "--lab", other.name)
    (files / "planted.yaml").write_text(PLANTED)
    tiny.kubectl("one", "apply", "-f", str(files / "planted.yaml"))
    assert "NotFound" in other.kubectl("one", "get", "configmap", "planted", code=1)
    other.run("down", "--purge")
    assert tiny.healthy()
    tiny.cli.run("up", str(files / "tiny.yaml"), "--lab", other.name)
    pids = tiny.host_pid(), other.host_pid()
    tiny.cli.run("down", "--all")
    assert [left_behind(pid) for pid in pids] == [[], []]


def test_a_lab_whose_port_was_taken_gets_another(tiny: RunningLab, files: Path) -> None:
    (port,) = ports(tiny)
    tiny.run("down")
    with socket.create_server(("127.0.0.1", port)):
        tiny.cli.run("up", str(files / "tiny.yaml"))
        assert ports(tiny).isdisjoint({port})
        assert tiny.healthy()


def test_the_lock_is_free_after_its_holder_was_killed(home: Cli, files: Path) -> None:
    stopped_at(home, files / "tiny.yaml", "starting the sandbox", signal.SIGKILL)
    with (home.home / "tiny" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_folders_are_private_and_so_are_all_keys_and_tokens(pair: RunningLab) -> None:
    secret = re.compile(rb"PRIVATE KEY|^eyJ[\w-]+\.eyJ|token: |client-key-data", re.MULTILINE)
    assert pair.dir.root.stat().st_mode & 0o777 == 0o700
    kept, open_to_others = 0, []
    for path in pair.dir.root.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        if secret.search(path.read_bytes()) or path.name.startswith("store.db"):
            kept += 1
            if path.stat().st_mode & 0o077:
                open_to_others.append(str(path.relative_to(pair.dir.root)))
    assert kept > 10
    assert open_to_others == []
