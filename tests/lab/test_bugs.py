"""Every known bug in topologies/bugs gives the verdict that each of its variants promises, again and again.

Most of a run is waiting, so several labs run at once.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from lab.base import shipped
from lab.topology.load import parse
from tests.lab.conftest import Cli

pytestmark = [pytest.mark.netns, pytest.mark.slow]

AT_ONCE = 3
ROUNDS = 3
LIMIT = 400.0
"""Seconds that one variant may take with all its rounds."""

VERDICTS = {
    (path.stem, name): variant.verdict
    for path in sorted((shipped.TOPOLOGIES / "bugs").glob("*.yaml"))
    for name, variant in parse(path.read_text(), path.name).variants.items()
}


def run(cli: Cli, file: str, variant: str) -> Any:
    words = ("--variant", variant, "--lab", f"{file}-{variant}", "--repeat", str(ROUNDS), "--json")
    done = cli.run("run", f"bugs/{file}", *words, code=None, timeout=LIMIT)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def runs(cli: Cli, request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Future[Any]]]:
    """The runs of all variants whose tests were asked for; each can be waited for."""
    specs = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    asked = [spec.params["bug"] for spec in specs if spec.params.get("bug") in VERDICTS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {bug: pool.submit(run, cli, *bug) for bug in asked}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("bug", VERDICTS, ids="-".join)
def test_a_known_bug_gives_the_verdict_of_its_variant_in_every_round(
    runs: dict[tuple[str, str], Future[Any]], bug: tuple[str, str]
) -> None:
    code, seen = runs[bug].result()
    verdict = VERDICTS[bug]
    assert [one["verdict"] for one in seen["rounds"]] == [verdict] * ROUNDS, json.dumps(seen)
    assert code == (0 if verdict == "held" else 1)
