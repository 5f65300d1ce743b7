"""Our proxies against the hand-written chain: latency with one connection, throughput with many.

Runs alternate, ours then static, and each pair is compared by itself: what else the machine does in the
meantime slows down both.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import median

from lab.base.wait import until
from lab.ops.bench import wrk
from lab.ops.bench.model import Figure, Row, paired_ratio
from lab.ops.bench.scene import FLAT, GATED, STATIC_FLAT, STATIC_GATED
from lab.ops.bench.workbench import Running
from lab.ops.bench.wrk import Load

PAIRS = 5
RUN_SECONDS = 2
WARM_SECONDS = 1
READY_SECONDS = 30.0
ONE, MANY = 1, 32


@dataclass(frozen=True)
class Path:
    """A way to another cluster, as the mesh makes it and as the chain does; URLs as the clients dial them."""

    name: str
    ours: str
    static: str

    @property
    def latency(self) -> Figure:
        return Figure(f"{self.name}: p50 at {ONE} connection, against static Envoy", 1.15, "x")

    @property
    def throughput(self) -> Figure:
        return Figure(
            f"{self.name}: requests/s at {MANY} connections, against static Envoy", 0.9, "x", at_most=False
        )


PATHS = (
    Path("flat", f"http://{FLAT}-east.bench", f"http://{STATIC_FLAT}.bench"),
    Path("gateway", f"http://{GATED}-east.bench", f"http://{STATIC_GATED}.bench"),
)
FIGURES = tuple(figure for path in PATHS for figure in (path.latency, path.throughput))


async def measure(running: Running) -> AsyncIterator[Row]:
    """The rows of both paths, in a lab that holds the scene."""
    if not wrk.is_installed():
        for figure in FIGURES:
            yield figure.skipped(wrk.MISSING)
        return
    for path in PATHS:
        await _warm_up(running, path)
        few = await _pairs(running, path, ONE)
        latencies = [(ours.p50, static.p50) for ours, static in few]
        yield path.latency.measured(paired_ratio(latencies), _note(latencies, "{:.2f} ms"))
        many = await _pairs(running, path, MANY)
        rates = [(ours.rate, static.rate) for ours, static in many]
        yield path.throughput.measured(paired_ratio(rates), _note(rates, "{:,.0f}/s"))


async def _warm_up(running: Running, path: Path) -> None:
    """Until both ways answer cleanly: mirrors and proxies may need a moment."""

    async def ours() -> Load:
        return await _run(running, "client", path.ours, ONE, WARM_SECONDS)

    async def static() -> Load:
        return await _run(running, "static-client", path.static, ONE, WARM_SECONDS)

    for way, url in ((ours, path.ours), (static, path.static)):
        await until(way, timeout=READY_SECONDS, what=f"clean answers from {url}")


async def _pairs(running: Running, path: Path, connections: int) -> list[tuple[Load, Load]]:
    return [
        (
            await _run(running, "client", path.ours, connections, RUN_SECONDS),
            await _run(running, "static-client", path.static, connections, RUN_SECONDS),
        )
        for _ in range(PAIRS)
    ]


async def _run(running: Running, pod: str, url: str, connections: int, seconds: int) -> Load:
    return wrk.parse(
        await running.execute(f"west/bench/{pod}", "load", *wrk.command(url, connections, seconds))
    )


def _note(pairs: Sequence[tuple[float, float]], form: str) -> str:
    """The medians of both sides, and how far the pairs' ratios lie apart."""
    ours, static = (form.format(median(side)) for side in zip(*pairs, strict=True))
    ratios = [first / second for first, second in pairs]
    return f"{ours}, static {static}; {len(pairs)} pairs {min(ratios):.2f} to {max(ratios):.2f}"
