"""The command line as users meet it: codes, suggestions, and where words go."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import named
from lab.verbs.namespace import namespace

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent.parent


def lab(*words: str, cwd: Path = ROOT, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": f"{BIN}:/usr/bin:/bin", "LAB_HOME": str(home or cwd / "no-labs"), "HOME": str(cwd)}
    argv = [sys.executable, "-m", "lab.cli", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=cwd, env=env, check=False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["upp"], 2, 'no verb "upp"; did you mean "up"?'),
        (["fault.paus", "east"], 2, 'no verb "fault.paus"; did you mean "fault.pause"?'),
        (["up", "--engin", "kind"], 2, 'no flag "--engin"; did you mean "--engine"?'),
        (["fault.pause"], 2, "'cluster'"),
        (["up", "--engine", "docker"], 2, '--engine "docker" is unknown'),
        (["plan", "flta"], 2, 'did you mean "flat"?'),
        (["status"], 2, "no lab here"),
        (["fault.heal"], 2, "say which faults to heal"),
        (["exec", "west/shop/front"], 2, "no command to run"),
        (["run", "flat"], 2, "flat has no scenario"),
        (["run", "scenarios/identity", "--junit", "gone/x.xml"], 2, "there is no folder gone"),
        (["run", "scenarios/identity", "--repeat", "0"], 2, "at least one round"),
        (["search", "flat"], 2, "expects nothing of a whole run"),
        (["repro", "gone.tar.gz"], 2, "no bundle gone.tar.gz"),
        (["capture", "west", "--port", "99999"], 2, "use one from 1 to 65535"),
        (["run", "scenarios/identity", "--html", "."], 2, "this is a folder"),
        (["matrix", "-"], 2, "a matrix needs a file"),
        (["matrix", "scenarios/identity", "--mode", "federated"], 2, '--mode "federated" is unknown'),
        (["matrix", "scenarios/latency", "--mode", "flat"], 2, "pods of different networks"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_with_code_2_and_says_what_to_do(
    words: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = lab(*words, home=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_up_that_is_refused_before_anything_is_made_leaves_no_lab_behind(tmp_path: Path) -> None:
    (tmp_path / "visit.yaml").write_text(
        "{name: visit, engine: existing, mesh: none, clusters: {west: {}}}\n"
    )
    home = tmp_path / "labs"
    done = lab("up", "visit.yaml", cwd=tmp_path, home=home)
    assert done.returncode == 2
    assert "no kubeconfig" in done.stderr
    assert list(home.iterdir()) == []
    (home / "visit").mkdir()
    (home / "visit" / "theirs").touch()
    lab("up", "visit.yaml", cwd=tmp_path, home=home)
    assert (home / "visit" / "theirs").exists()


def test_a_topology_with_problems_ends_with_code_2_and_lists_all(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\nclusters: {west: {podz: 1}}\nengine: moby\n")
    done = lab("plan", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "bad.yaml: 2 problems" in done.stderr


def test_a_plan_of_a_lab_that_is_not_up_is_printed_as_data(tmp_path: Path) -> None:
    done = lab("plan", "flat", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "start-cluster" in done.stdout


def test_the_schema_is_printed_as_it_ships() -> None:
    assert lab("schema").stdout == (ROOT / "lab/topology/topology.schema.json").read_text()


def test_inv_and_lab_list_the_same_verbs() -> None:
    argv = [str(BIN / "inv"), "--list", "--list-format=json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    for name in namespace.task_names:
        assert f'"{name.split(".")[-1]}"' in done.stdout


def test_every_verb_and_flag_has_a_help_text() -> None:
    bare = [
        f"{name} {argument.name}"
        for name in namespace.task_names
        for argument in namespace[name].get_arguments()
        if not argument.help
    ]
    assert bare == []


def test_listing_verbs_imports_nothing_heavy() -> None:
    heavy = "pydantic,rich,aiohttp,kubernetes,textual,grpc,cryptography"
    code = f"import sys, lab.cli; print([m for m in '{heavy}'.split(',') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("up x.yaml", "up --file x.yaml"),
        ("up --dry-run x.yaml", "up --dry-run --file x.yaml"),
        ("up --engine kind x.yaml", "up --engine kind --file x.yaml"),
        ("up -", "up --file -"),
        ("up --file x.yaml", "up --file x.yaml"),
        ("up status", "up status"),
        ("fault.heal pause-1 kill-2", "fault.heal --id pause-1 --id kill-2"),
        ("fault.pause east", "fault.pause east"),
        ("fault.partition west->east", "fault.partition west east --one-way"),
        ("fault.impair west<->east --loss 1%", "fault.impair west east --loss 1%"),
    ],
)
def test_a_bare_word_goes_to_the_flag_it_stands_for(words: str, result: str) -> None:
    assert " ".join(named(words.split())) == result


def test_no_flag_takes_the_short_form_of_help() -> None:
    taken = [
        name for name in namespace.task_names for one in namespace[name].get_arguments() if "h" in one.names
    ]
    assert taken == []


@pytest.mark.parametrize("words", ["logs --help", "exec -h", "up --help", "fault.pause --help"])
def test_every_verb_explains_itself_also_one_with_positional_arguments(words: str) -> None:
    done = lab(*words.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: lab")
    assert f"] {words.split()[0]} [" in done.stdout


def test_a_reader_that_hangs_up_gives_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "lab.cli", "up", "--help"]
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(argv, stdout=closed, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
