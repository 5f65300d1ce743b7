"""What a user gets wrong or the machine refuses: a clear message, the right exit code, no traceback."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow]
TINY = "name: refusals\nclusters:\n  one: {}\n"
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  containers:
    - {{name: app, image: "{image}"{command}}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("topologies") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def lab(cli: Cli, file: Path) -> Iterator[RunningLab]:
    yield from bring_up(cli, str(file), "refusals")


def said(done: "subprocess.CompletedProcess[str]") -> str:
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clusters: [", "1 problem"),
        ("name: x\nclusters:\n  west: {}\n\tbad", "1 problem"),
        ("name: x\nclusters:\n  west: {}\nlinks:\n  - west <-> wset\n", '"wset"'),
        ("", "a mapping with name and clusters"),
    ],
    ids=["broken YAML", "a tab", "a link to nowhere", "an empty file"],
)
def test_a_wrong_topology_file_is_refused_with_what_is_wrong(
    cli: Cli, tmp_path: Path, text: str, expected: str
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text)
    seen = said(cli.run("up", str(wrong), code=2))
    assert f"{wrong}: " in seen
    assert expected in seen
    assert not (cli.home / "x").exists()


def test_an_unknown_topology_name_is_answered_with_the_one_meant(cli: Cli) -> None:
    seen = said(cli.run("up", "two-clustres", code=2))
    assert "two-clustres" in seen
    assert '"two-clusters"' in seen


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--cluster", "onee"),
        ("stat", "--cluster", "onee"),
        ("fault.pause", "onee"),
        ("logs", "onee/default/x"),
        ("exec", "onee/default/x", "--", "true"),
        ("link.add", "onee", "one"),
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_cluster_is_answered_with_those_there_are(lab: RunningLab, words: tuple[str, ...]) -> None:
    verb, *rest = words
    seen = said(lab.cli.run(verb, "--lab", lab.name, *rest, code=2))
    assert 'no cluster "onee"' in seen
    assert "one" in seen.partition("onee")[2]


def test_a_lab_that_is_not_there_is_named(cli: Cli) -> None:
    for verb in ("status", "down", "kubeconfig"):
        assert 'no lab "nowhere" here' in said(cli.run(verb, "--lab", "nowhere", code=2))


@pytest.mark.parametrize(
    ("name", "image", "command", "reason"),
    [
        ("unknown", "registry.example/none:1", "", "no local program stands for image"),
        ("crashing", "any", ", command: [sh, -c, exit 3]", "CrashLoopBackOff"),
        ("missing", "any", ", command: [no-such-program]", "no-such-program"),
    ],
)
def test_a_pod_that_cannot_run_is_a_problem_with_where_what_and_remedy(
    lab: RunningLab, tmp_path: Path, name: str, image: str, command: str, reason: str
) -> None:
    pod = tmp_path / "pod.yaml"
    pod.write_text(POD.format(name=name, image=image, command=command))
    lab.kubectl("one", "apply", "-f", str(pod))
    where = f"cluster one, pod default/{name}"

    def problems() -> list[dict[str, str]]:
        return [one for one in lab.status()["problems"] if one["where"] == where]

    try:
        lab.eventually(
            f"a problem that says {reason!r}", lambda: problems() and reason in problems()[0]["what"]
        )
        assert problems()[0]["remedy"] == f"lab logs one/default/{name}"
        assert "pod default" in lab.run("status", code=1).stdout
    finally:
        lab.kubectl("one", "delete", "-f", str(pod), "--grace-period=0", "--force")
    lab.eventually("no problem", lab.healthy)


def on_small_disk(cli: Cli, size: str, script: str) -> "subprocess.CompletedProcess[str]":
    """Run shell words with a tmpfs of that size as LAB_HOME, in a mount namespace of their own."""
    cli.home.mkdir(parents=True)
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    mounted = f'mount -t tmpfs -o size={size} tmpfs "$LAB_HOME" && {script}'
    return subprocess.run(
        ["unshare", "--mount", *root, "sh", "-c", mounted],
        env={
            **cli.env,
            "LAB": f"{sys.executable} -m lab.cli",
            "KUBECTL": str(Path(sys.executable).parent / "kubectl"),
        },
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=90,
        check=False,
    )


needs_unshare = pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")


@needs_unshare
def test_a_full_disk_is_refused_before_anything_starts(cli: Cli, tmp_path: Path, file: Path) -> None:
    done = on_small_disk(
        Cli(tmp_path / "home"), "1m", f"$LAB up {file}; code=$?; $LAB down --all; exit $code"
    )
    assert done.returncode == 1
    assert "MiB free in" in said(done)
    assert "fix: free some space" in done.stderr


@needs_unshare
def test_a_disk_that_fills_up_is_named_by_the_api_and_freeing_it_is_enough(
    cli: Cli, tmp_path: Path, file: Path
) -> None:
    map_ = "$KUBECTL --kubeconfig=$LAB_HOME/refusals/kubeconfig create -f"
    for name in ("first", "second"):
        big = "x" * 200_000
        (tmp_path / f"{name}.json").write_text(
            f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"a":"{big}"}}}}'
        )
    script = f"""
        $LAB up {file} >&2 || exit 10
        head -c 99m /dev/zero > $LAB_HOME/ballast 2>/dev/null
        {map_} {tmp_path}/first.json && exit 11
        rm $LAB_HOME/ballast
        {map_} {tmp_path}/second.json || exit 12
        $LAB status >&2 || exit 13
        $LAB down --all --purge
    """
    done = on_small_disk(Cli(tmp_path / "home"), "40m", script)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "disk is full" in said(done)


def test_ctrl_c_in_a_verb_that_waits_ends_it_with_130(lab: RunningLab) -> None:
    with lab.cli.start("logs", "one/linkerd/linkerd-identity", "--follow", "--lab", lab.name) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _out, error = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in error) == (130, False), error
