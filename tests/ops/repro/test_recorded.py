"""What is read from an unpacked bundle, and what whoever replays it is told beforehand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import UsageError
from lab.ops.repro.notes import absent, brought, differing, notes
from lab.ops.repro.recorded import Recorded, again, recorded
from tests.ops.repro.made import TOPOLOGY, files, manifest, verdict

FAULT = {
    "id": "impair-1",
    "kind": "impair",
    "target": {"clusters": ["west"], "others": ["east"], "namespace": "", "service": ""},
    "since": 100.0,
    "state": "active",
    "parameters": {"delay_us": 50_000},
    "before": {},
    "owner": "cli:1",
    "expires": None,
}
VERSIONS = {"lab": {"version": "1", "commit": "a"}, "envoy": "1.35", "python": "3.11", "kernel": "Linux 6"}


def read(folder: Path, content: dict[str, str], **more: object) -> Recorded:
    for path, text in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return recorded(folder, json.loads(manifest(content, **more)), "", None)


def test_the_lab_gets_another_name_that_fits(tmp_path: Path) -> None:
    assert read(tmp_path, files()).topology.name == "small-repro"
    assert again("a" * 32) == "a" * 26 + "-repro"


def test_rounds_seed_and_faults_are_read(tmp_path: Path) -> None:
    later = {**FAULT, "id": "impair-2", "since": 200.0}
    found = read(tmp_path, files(ledger_json=json.dumps([later, FAULT])))
    assert (found.rounds, found.seed) == (1, 7)
    assert [fault.id for fault in found.faults] == ["impair-1", "impair-2"]
    assert (found.faults[0].target, found.faults[0].options) == ("west | east", {"delay": "50ms"})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ledger.json", '[{"id": "x"}]'),
        ("ledger.json", "{}"),
        ("ledger.json", json.dumps([{**FAULT, "parameters": {"delay_us": "much"}}])),
        ("ledger.json", json.dumps([{**FAULT, "since": "now"}])),
        ("run/verdict.json", '{"rounds": [{"expectations": [1]}]}'),
        ("run/verdict.json", '{"rounds": [{"expectations": [], "seed": "x"}]}'),
        ("status.json", '{"clusters": 1}'),
        ("versions.json", "nonsense"),
    ],
)
def test_a_part_of_another_shape_is_named(tmp_path: Path, path: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"^{path} of the bundle is damaged"):
        read(tmp_path, {**files(), path: text})


STATE = {
    "clusters": [{"name": "west", "state": "ready"}],
    "links": [{"from": "west", "to": "east", "state": "up"}],
    "services": [{"cluster": "west", "traffic": "echo", "success": 1.0, "answeredBy": {"west": 1.0}}],
}


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The way to every part of a JSON value."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], odd: object) -> Any:
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], odd)
    return copy


@pytest.mark.parametrize(
    ("file", "value"),
    [("ledger.json", [FAULT]), ("status.json", STATE), ("run/verdict.json", verdict(False))],
)
def test_a_part_that_is_odd_anywhere_is_taken_or_named(tmp_path: Path, file: str, value: object) -> None:
    said = []
    for path in places(value):
        for odd in (None, "x", [1]):
            try:
                read(tmp_path, {**files(), file: json.dumps(replaced(value, path, odd))})
            except UsageError as error:
                said.append(str(error))
    assert len(said) > 5
    assert all(one.startswith(f"{file} of the bundle is damaged") for one in said)


def test_a_bundle_without_topology_says_why_it_has_none(tmp_path: Path) -> None:
    content = files()
    del content["topology.yaml"]
    missing = [{"part": "topology", "reason": "x.yaml is gone"}]
    with pytest.raises(UsageError, match=r"no topology in the bundle.*x\.yaml is gone"):
        read(tmp_path, content, missing=missing)


@pytest.mark.parametrize(
    "part",
    [
        "manifests: [/etc/hosts]",
        "manifests: [../../../../../etc/hosts]",
        "images: {x: [/bin/sh, -c, evil]}",
    ],
)
def test_a_topology_that_names_other_files_of_the_machine_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(UsageError, match="names a file that is not in it"):
        read(tmp_path, files(f"{TOPOLOGY}{part}\n"))


def test_what_the_bundle_brings_is_told_without_the_places_of_this_machine(tmp_path: Path) -> None:
    topology = TOPOLOGY + "  steps: [{run: ['true', now]}, {apply: files/x.yaml}]\n"
    found = read(tmp_path, files(topology, files__x_yaml=""))
    assert brought(found.topology, tmp_path) == [
        "the bundle brings its own program of a step, as you: true now",
        "the bundle brings its own Kubernetes objects: files/x.yaml",
    ]


def test_programs_that_are_not_here_or_others_are_named(tmp_path: Path) -> None:
    programs = {
        "image x": {"name": "no-such-program", "sha256": ""},
        "step run true": {"name": "true", "sha256": "00"},
    }
    found = read(tmp_path, files(), programs=programs)
    assert absent(found) == ["no-such-program (for image x)"]
    assert "program true (for step run true) is not the same file as the recorded one" in notes(found, {})


def test_versions_that_differ_are_told_with_both() -> None:
    then = {**VERSIONS, "distributions": {"aiohttp": "1", "rich": "1"}}
    now = {**VERSIONS, "envoy": "1.36", "distributions": {"aiohttp": "2", "rich": "1"}}
    assert list(differing(then, then)) == []
    assert list(differing(then, now)) == [
        "envoy: recorded 1.35, here 1.36",
        "Python distributions: recorded aiohttp 1 (here 2)",
    ]


def test_redacted_files_and_faults_outside_the_run_are_told(tmp_path: Path) -> None:
    content = files(files__x_yaml="data: REDACTED", ledger_json=json.dumps([FAULT]))
    said = notes(read(tmp_path, content), {})
    assert "files/x.yaml: its secrets are not in the bundle, REDACTED stands for them" in said
    assert "faults that stood when it was made are no part of its run: impair-1" in said
