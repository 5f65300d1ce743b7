"""A topology in a bundle names nothing that is not in there."""

from pathlib import Path

import yaml

from lab.ops.bundle.portable import portable
from lab.ops.bundle.redact import Redactor
from lab.ops.bundle.staging import Staging
from lab.topology.load import dump, load

FILE = """
name: small
clusters: {west: {}}
apps: [{app: echo}]
traffic: [{from: west, to: "http://echo.echo", name: echo}]
manifests:
  - objects.yaml
  - |
    apiVersion: v1
    kind: Secret
    metadata: {name: s}
    stringData: {token: zqhiddenQ}
images: {"x": [./bin/prog, --flag]}
scenario:
  probes: {said: {output: {run: [./look.sh, "1"]}}}
  steps:
    - parallel:
        - {run: [./look.sh]}
        - {apply: objects.yaml}
    - {run: ["true"]}
  expect: [{traffic: west/echo, success: ">= 99%"}]
"""


def staged(folder: Path) -> tuple[Staging, str]:
    """The topology written into a bundle's folder, and its text."""
    source = folder / "source"
    (source / "bin").mkdir(parents=True)
    (source / "small.yaml").write_text(FILE)
    (source / "objects.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}")
    for path, content in (("look.sh", b"#!/bin/sh\n"), ("bin/prog", b"\x7fELF\xff")):
        (source / path).write_bytes(content)
        (source / path).chmod(0o755)
    staging = Staging(folder / "staged", Redactor(), lambda _where, _what: None)
    moved = portable(load(str(source / "small.yaml")), staging)
    text = dump(moved.topology)
    staging.text("topology.yaml", text)
    assert set(moved.programs) == {"image x", "step run true"}
    return staging, text


def test_it_loads_where_it_was_unpacked_and_names_no_place_of_the_machine(tmp_path: Path) -> None:
    staging, text = staged(tmp_path)
    assert str(tmp_path) not in text
    topology = load(str(staging.root / "topology.yaml"))
    (run, applied), program = topology.scenario.steps[0].parallel, topology.scenario.steps[1]
    assert run.run == (str(staging.root / "files/step-2/look.sh"),)
    assert applied.apply == str(staging.root / "files/step-3/objects.yaml")
    assert program.run == ("true",)
    assert topology.images["x"] == ("prog", "--flag")
    assert topology.scenario.probes["said"].output is not None
    assert topology.scenario.probes["said"].output.run[0].startswith(str(staging.root))


def test_a_script_stays_one_that_can_be_executed(tmp_path: Path) -> None:
    staging, _text = staged(tmp_path)
    assert (staging.root / "files/step-2/look.sh").stat().st_mode & 0o100
    assert not (staging.root / "files/step-3/objects.yaml").stat().st_mode & 0o100


def test_objects_that_stood_in_the_topology_become_a_file_without_their_secrets(tmp_path: Path) -> None:
    staging, text = staged(tmp_path)
    (secret,) = yaml.safe_load_all((staging.root / "files/manifests-2/objects.yaml").read_text())
    assert secret["stringData"] == {"token": "REDACTED"}
    assert "zqhiddenQ" not in text
