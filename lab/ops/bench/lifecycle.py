"""How long labs take to come up and go away, and what they leave behind."""

import json
from collections.abc import AsyncIterator, Mapping
from statistics import median
from typing import Any

from lab.base.errors import CheckFailed, LabError
from lab.base.wait import until
from lab.ops.bench import processes
from lab.ops.bench.model import Figure, Row
from lab.ops.bench.workbench import Running, Workbench
from lab.topology.load import load
from lab.topology.model import Topology

UP_TWO = Figure("up: two clusters", 6, "s")
UP_THREE = Figure("up: three clusters", 8, "s")
UP_TEN = Figure("up: ten clusters", 25, "s")
NOTHING_TO_DO = Figure("up: nothing to do", 1, "s")
DOWN = Figure("down", 1, "s")
LEFT = Figure("down: left behind", 0, "")
TWO = (UP_TWO, NOTHING_TO_DO, DOWN, LEFT)
STAR = "a star of ten: echo everywhere, traffic to the centre; once"
ROUNDS = 3
ANSWER_SECONDS = 30.0


async def measure_two(bench: Workbench) -> AsyncIterator[Row]:
    """The default lab, several times from nothing to nothing."""
    ups, idles, downs = [], [], []
    left: dict[str, int] = {}
    used = ""
    for _ in range(ROUNDS):
        running = await bench.up(load("two-clusters", None, "bench-two"))
        ups.append(await until_answered(running))
        used = running.used()
        idles.append((await bench.timed("up", running.file))[0])
        before = processes.footprint(running.init, running.dir.kubeconfig.read_text(), bench.home)
        downs.append(await running.down())
        left = {kind: left.get(kind, 0) + count for kind, count in before.left().items()}
    yield UP_TWO.measured(median(ups), f"{_spread(ups)}; {used}")
    yield NOTHING_TO_DO.measured(median(idles), _spread(idles))
    yield DOWN.measured(median(downs), _spread(downs))
    yield LEFT.measured(sum(left.values()), ", ".join(f"{count} {kind}" for kind, count in left.items()))


async def measure_ten(bench: Workbench) -> AsyncIterator[Row]:
    """Ten clusters with one shop each, linked as a star, so that the number of links does not dominate."""
    running = await bench.up(ten_clusters())
    yield UP_TEN.measured(await until_answered(running), f"{STAR}; {running.used()}")
    await running.down()


def ten_clusters() -> Topology:
    names = [f"c{number}" for number in range(10)]
    return Topology.model_validate(
        {
            "name": "bench-ten",
            "clusters": {name: {} for name in names},
            "links": [f"{names[0]} <-> {name}" for name in names[1:]],
            "apps": [{"app": "echo", "export": "gateway"}],
            "traffic": [
                {"from": name, "to": f"http://echo-{names[0]}.echo", "rate": "5/s"} for name in names[1:]
            ],
        }
    )


async def until_answered(running: Running) -> float:
    """Seconds from nothing until all pods are ready and another cluster has answered.

    `up` ends when all is healthy; when no load generator has reported a remote answer by then, the
    time until one does is added.
    """
    if remote_answers(running.state):
        return running.seconds
    extra = 0.0

    async def answered() -> bool:
        nonlocal extra
        seconds, done = await running.bench.timed("status", "--lab", running.topology.name, "--json")
        extra += seconds
        return remote_answers(json.loads(done.stdout))

    try:
        await until(answered, timeout=ANSWER_SECONDS, what="a cross-cluster answer", every=0.01)
    except LabError as error:
        raise CheckFailed(f"lab {running.topology.name} came up, but {error}") from error
    return running.seconds + extra


def remote_answers(state: Mapping[str, Any]) -> bool:
    """Whether some caller was answered by another cluster than its own."""
    return any(set(row["answeredBy"]) - {row["cluster"]} for row in state["services"] if row["success"])


def _spread(values: list[float]) -> str:
    return f"median of {', '.join(f'{value:.2f}' for value in values)} s"
