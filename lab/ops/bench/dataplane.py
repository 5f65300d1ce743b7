"""Our proxies against the hand-written chain: latency with one connection, throughput with many.

Runs alternate, and each pair is compared by itself: what else the machine does in the meantime slows down
both. Which of a pair goes first changes from pair to pair.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from lab.base.wait import until
from lab.engines.embedded.control import Control
from lab.kube.client import Client
from lab.kube.kinds import PODS
from lab.kube.objects import name, namespace, uid
from lab.ops.bench import wrk
from lab.ops.bench.inside import execute
from lab.ops.bench.model import Figure, Row, paired_ratio
from lab.ops.bench.objects import SPACE
from lab.ops.bench.scene import FLAT, GATED, STATIC_FLAT, STATIC_GATED, Scene
from lab.ops.bench.workbench import Running
from lab.ops.bench.wrk import Load

PAIRS = 10
RUN_SECONDS = 1
LIMIT_SECONDS = 10.0
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


async def measure(running: Running, scene: Scene) -> AsyncIterator[Row]:
    """The rows of both paths, in a lab that holds the scene."""
    if not wrk.is_installed():
        for figure in FIGURES:
            yield figure.skipped(wrk.MISSING)
        return
    async with Control.connect(running.dir) as control:
        load = Loader(
            control, await pod_uid(scene.west, "client"), await pod_uid(scene.west, "static-client")
        )
        sides = await Sides.of(scene)
        for path in PATHS:
            await load.warm_up(path)
            latencies = [(ours.p50, static.p50) for ours, static in await load.pairs(path, ONE)]
            yield path.latency.measured(paired_ratio(latencies), note(latencies, "{:.2f} ms"))
            before = await spent(control)
            rates = [(ours.rate, static.rate) for ours, static in await load.pairs(path, MANY)]
            cost = cpu_per_request(before, await spent(control), sides, rates)
            how = f"{note(rates, '{:,.0f}/s')}; proxy CPU per request {cost:.2f}x"
            yield path.throughput.measured(paired_ratio(rates), how)


@dataclass(frozen=True)
class Sides:
    """The pods, by uid, that requests pass on our way and on the chain's."""

    ours: frozenset[str]
    static: frozenset[str]

    @classmethod
    async def of(cls, scene: Scene) -> "Sides":
        pods = [*await scene.west.list(PODS), *await scene.east.list(PODS)]
        gateways = {uid(pod) for pod in pods if name(pod).startswith("linkerd-gateway-")}
        bench = {name(pod): uid(pod) for pod in pods if namespace(pod) == SPACE}
        static = {found for pod, found in bench.items() if pod.startswith("static-")}
        return cls(frozenset({bench["client"], bench["backend"], *gateways}), frozenset(static))


async def spent(control: Control) -> dict[str, float]:
    """Processor seconds of every container so far, by POD_UID/NAME/…"""
    return {key: float(cost["cpu"]) for key, cost in (await control.call("stats")).items()}


def cpu_per_request(
    before: Mapping[str, float],
    after: Mapping[str, float],
    sides: Sides,
    rates: Sequence[tuple[float, float]],
) -> float:
    """Our processor time per request against the chain's: hardly disturbed by what else the machine does."""

    def used(pods: frozenset[str]) -> float:
        return sum(cpu - before.get(key, 0.0) for key, cpu in after.items() if key.partition("/")[0] in pods)

    ours = used(sides.ours) / sum(rate for rate, _ in rates)
    return ours / (used(sides.static) / sum(rate for _, rate in rates))


async def pod_uid(client: Client, pod: str) -> str:
    return uid(await client.get(PODS, pod, SPACE))


@dataclass(frozen=True)
class Loader:
    """Runs the load tool in the two client pods of west, which are known by uid (one may be both)."""

    control: Control
    ours: str
    static: str

    async def warm_up(self, path: Path) -> None:
        """Until both ways answer cleanly: mirrors and proxies may need a moment."""
        for pod, url in ((self.ours, path.ours), (self.static, path.static)):

            async def clean(pod: str = pod, url: str = url) -> Load:
                return await self._run(pod, url, MANY)

            await until(clean, timeout=READY_SECONDS, what=f"clean answers from {url}")

    async def pairs(self, path: Path, connections: int) -> list[tuple[Load, Load]]:
        """Runs of ours and of the chain, each two one after the other."""
        found = []
        for number in range(PAIRS):
            if number % 2:
                static = await self._run(self.static, path.static, connections)
                ours = await self._run(self.ours, path.ours, connections)
            else:
                ours = await self._run(self.ours, path.ours, connections)
                static = await self._run(self.static, path.static, connections)
            found.append((ours, static))
        return found

    async def _run(self, pod: str, url: str, connections: int) -> Load:
        argv = wrk.command(url, connections, RUN_SECONDS)
        return wrk.parse(await execute(self.control, "west", f"{pod}/load", argv, LIMIT_SECONDS))


def note(pairs: Sequence[tuple[float, float]], form: str) -> str:
    """The medians of both sides, and between which ratios the middle half of the pairs lies."""
    ours, static = (form.format(median(side)) for side in zip(*pairs, strict=True))
    low, _, high = quantiles((first / second for first, second in pairs), n=4)
    return f"{ours}, static {static}; half of {len(pairs)} pairs {low:.2f} to {high:.2f}"
