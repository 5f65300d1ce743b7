"""The verdict read from what the conformance suite says, and the verb that gives it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.ops.conformance.outcome import Outcome, Reading, profiles, reason

OUTPUT = """\
\x16=== RUN   TestConformance
    conformance.go:110: Running conformance tests with:
\x16=== RUN   TestConformance/MeshPorts
\x16=== RUN   TestConformance/MeshPorts/0_request
\x16=== PAUSE TestConformance/MeshPorts/0_request
\x16=== CONT  TestConformance/MeshPorts/0_request
    pod.go:72: --- PASS: this is only talk (9s)
    pod.go:72: wanted status code to be one of [200], got 503
\x16=== NAME  TestConformance/MeshPorts
    mesh-ports.go:12: Error: Condition never satisfied
\x16--- FAIL: TestConformance/MeshPorts/0_request (30.05s)
\x16--- FAIL: TestConformance/MeshPorts (0.01s)
\x16=== RUN   TestConformance/MeshBasic
    main.go:1: all is well
\x16--- PASS: TestConformance/MeshBasic (0.41s)
\x16=== RUN   TestConformance/HTTPRouteCORS
\x16--- SKIP: TestConformance/HTTPRouteCORS (0.00s)
\x16--- FAIL: TestConformance (31.0s)
""".splitlines()


def reading() -> tuple[Reading, list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []
    found = Reading(lambda name: name.startswith("Mesh"), lambda where, what: heard.append((where, what)))
    for line in OUTPUT:
        found.read(line)
    return found, heard


def test_a_failed_test_is_reported_with_its_last_words_and_the_time_of_its_longest_case() -> None:
    failed, _ = reading()[0].outcomes
    assert (failed.name, failed.result, failed.seconds) == ("MeshPorts", "fail", 30.05)
    assert failed.said[-2:] == (
        "pod.go:72: wanted status code to be one of [200], got 503",
        "mesh-ports.go:12: Error: Condition never satisfied",
    )


def test_a_passed_test_is_reported_without_words() -> None:
    assert reading()[0].outcomes[1] == Outcome("MeshBasic", "pass", 0.41)


def test_progress_names_the_tests_that_count_as_they_start_and_end() -> None:
    assert reading()[1] == [
        ("MeshPorts", "running"),
        ("MeshPorts", "fail, 30.1 s"),
        ("MeshBasic", "running"),
        ("MeshBasic", "pass, 0.4 s"),
    ]


def test_why_nothing_was_tested_is_the_assertion_that_failed() -> None:
    said = ["starting", "Error Trace:\tsuite.go:1", "Error:\tno such test", "date: today", ""]
    assert reason(said)[:2] == ["Error Trace:\tsuite.go:1", "Error:\tno such test"]


def test_a_profile_is_counted_in_its_parts() -> None:
    statistics = {"Passed": 6, "Failed": 1, "Skipped": 0}
    report = {"profiles": [{"name": "MESH-HTTP", "core": {"result": "failure", "statistics": statistics}}]}
    assert profiles(report) == [
        {
            "profile": "MESH-HTTP",
            "core": {"passed": 6, "failed": 1, "skipped": 0},
            "extendedFeatures": [],
        }
    ]


def lab(home: Path, *words: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "LAB_HOME": str(home)} | ({"PATH": path} if path else {})
    argv = [sys.executable, "-m", "lab.cli", *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=600, check=False)


def test_without_go_the_verb_says_so_and_ends_with_4(tmp_path: Path) -> None:
    done = lab(tmp_path, "conformance", path=str(tmp_path))
    assert done.returncode == 4
    assert "no `go` on PATH" in done.stderr
    assert "https://go.dev/dl" in done.stderr


@pytest.mark.slow
@pytest.mark.netns
@pytest.mark.skipif(shutil.which("go") is None, reason="the suite is a Go program, and Go is not installed")
def test_a_run_reports_the_test_and_leaves_no_lab_behind(tmp_path: Path) -> None:
    done = lab(tmp_path, "conformance", "--test", "MeshConsumerRoute", "--json")
    assert done.returncode == 0, done.stderr
    assert [(row["test"], row["result"]) for row in json.loads(done.stdout)["tests"]] == [
        ("MeshConsumerRoute", "pass")
    ]
    assert lab(tmp_path, "list", "--json").stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.netns
@pytest.mark.skipif(shutil.which("go") is None, reason="the suite is a Go program, and Go is not installed")
def test_an_interrupted_run_leaves_neither_suite_nor_lab_behind(tmp_path: Path) -> None:
    env = {**os.environ, "LAB_HOME": str(tmp_path)}
    argv = [sys.executable, "-m", "lab.cli", "conformance", "--test", "MeshHTTPRouteWeight"]
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        said = next((line for line in running.stderr if "MeshHTTPRouteWeight: running" in line), "")
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
    assert said
    assert running.returncode == 130, rest
    assert lab(tmp_path, "list", "--json").stdout.strip() == "[]"
    suites = [p for p in Path("/proc").glob("[0-9]*/environ") if f"LAB_HOME={tmp_path}".encode() in _read(p)]
    assert suites == []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process has ended meanwhile
        return b""
