"""Public issues of Linkerd as scenarios: each variant gives the verdict that its file says."""

import json

import pytest

from lab.base import shipped
from lab.topology.document import parse
from tests.lab.conftest import Cli

pytestmark = [pytest.mark.netns, pytest.mark.slow]

CASES = [
    (file.stem, variant, about["verdict"])
    for file in sorted((shipped.TOPOLOGIES / "bugs").glob("*.yaml"))
    for variant, about in parse(file.read_text()).data["variants"].items()
]


@pytest.mark.parametrize(("name", "variant", "verdict"), CASES, ids=lambda word: word)
def test_a_variant_gives_the_verdict_that_is_known_of_it(
    cli: Cli, name: str, variant: str, verdict: str
) -> None:
    done = cli.run("run", f"bugs/{name}", "--variant", variant, "--json", code=None, timeout=200)
    assert json.loads(done.stdout)["verdict"] == verdict, done.stdout + done.stderr
    assert done.returncode == (0 if verdict == "held" else 1)
