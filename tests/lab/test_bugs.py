"""Every known bug in topologies/bugs gives the verdict that each of its variants promises."""

import json

import pytest

from lab.base import shipped
from lab.topology.load import parse
from tests.lab.conftest import Cli

pytestmark = [pytest.mark.netns, pytest.mark.slow]

BUGS = [
    pytest.param(path.stem, name, variant.verdict, id=f"{path.stem}-{name}")
    for path in sorted((shipped.TOPOLOGIES / "bugs").glob("*.yaml"))
    for name, variant in parse(path.read_text(), path.name).variants.items()
]


@pytest.mark.parametrize(("name", "variant", "verdict"), BUGS)
def test_a_known_bug_gives_the_verdict_of_its_variant(
    cli: Cli, name: str, variant: str, verdict: str
) -> None:
    done = cli.run("run", f"bugs/{name}", "--variant", variant, "--json", code=None, timeout=200)
    assert done.stdout, done.stderr
    seen = json.loads(done.stdout)
    assert seen["verdict"] == verdict, done.stdout
    assert done.returncode == (0 if verdict == "held" else 1)


def test_every_bug_is_shown_with_it_and_without() -> None:
    by_file: dict[str, set[str]] = {}
    for bug in BUGS:
        name, _, verdict = bug.values
        by_file.setdefault(str(name), set()).add(str(verdict))
    assert by_file
    assert all(verdicts == {"held", "failed"} for verdicts in by_file.values()), by_file
