"""The gateway probe: a pure state machine, and the worker that feeds it.

The worker asks the gateway's probe port through this pod's own sidecar and tells the watcher each change
of the verdict. It decides only alive or dead; what follows from that is the watcher's business.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import aiohttp

from lab.base.log import get_logger
from lab.base.wait import pause
from lab.controlplane.admin import Metrics
from lab.controlplane.mirror.link import Link, ProbeSpec
from lab.controlplane.proxy.metrics import LATENCIES_MS
from lab.topology.bugs import Bug

log = get_logger(__name__)

JITTER = 0.1
TIMEOUT_2_14 = 50.0


@dataclass(frozen=True)
class Liveness:
    """What the probe believes: `alive` is None until the first verdict."""

    alive: bool | None = None
    failures: int = 0


@dataclass(frozen=True)
class Verdict:
    """One observation's outcome: the next state, whether to announce it, whether to count a failed probe."""

    state: Liveness
    changed: bool
    counts_as_failure: bool


def observe(state: Liveness, *, success: bool, threshold: int) -> Verdict:
    """One success makes the gateway alive; `threshold` failures in a row make it dead."""
    if success:
        return Verdict(Liveness(True), changed=state.alive is not True, counts_as_failure=False)
    failures = state.failures + 1
    if failures < threshold:
        return Verdict(replace(state, failures=failures), changed=False, counts_as_failure=False)
    return Verdict(Liveness(False, failures), changed=state.alive is not False, counts_as_failure=True)


@dataclass(frozen=True)
class Profile:
    """How a Linkerd version behaves where versions differ, and what its link switches on."""

    version: str
    bugs: frozenset[Bug] = frozenset()
    headless: bool = False
    creates_namespaces: bool = False

    def probe(self, spec: ProbeSpec) -> ProbeSpec:
        """2.14 knew neither timeout nor threshold: one failure is enough there."""
        if self.version == "2.14":
            return replace(spec, timeout=TIMEOUT_2_14, failure_threshold=1)
        return spec

    def probe_service(self, link: Link) -> str:
        return f"probe-gateway-{link.cluster}" if self.version == "2.14" else f"probe-{link.name}"

    @property
    def first_belief(self) -> bool | None:
        """What mirrors show of the gateway before its first verdict: None is what they showed before."""
        if "restart-vs-live-gateway" in self.bugs:
            return False
        return True if "restart-vs-dead-gateway" in self.bugs else None

    def first_liveness(self) -> Liveness:
        """With linkerd2's bug the worker starts out dead, so a gateway that is dead is never announced."""
        return Liveness(False) if "restart-vs-dead-gateway" in self.bugs else Liveness()


EAGER_PERIOD = 0.2
"""Seconds between the tries of a controller's first moments."""


@dataclass
class Worker:
    """Probes one gateway for ever."""

    url: str
    spec: ProbeSpec
    state: Liveness
    announce: Callable[[bool], Awaitable[None]]
    metrics: Metrics
    cluster: str
    eager: bool = True
    """Ask at once; else after a period, as Linkerd does."""

    async def run(self) -> None:
        limit = aiohttp.ClientTimeout(total=self.spec.timeout)
        async with aiohttp.ClientSession(timeout=limit, trust_env=False) as session:
            await (self._awaken(session) if self.eager else pause(self.spec.period))
            while True:
                started = time.monotonic()
                error = await self._ask(session)
                await self._note(error, (time.monotonic() - started) * 1000)
                await pause(self.spec.period * (1 + random.uniform(0, JITTER)))

    async def _awaken(self, session: aiohttp.ClientSession) -> None:
        """Give a gateway that starts together with this controller one period to answer; nothing counts yet.

        linkerd2 has no such grace; without it a new link waits for the second probe, three seconds away.
        """
        deadline = time.monotonic() + self.spec.period
        while await self._ask(session) and time.monotonic() < deadline:
            await pause(EAGER_PERIOD)

    async def _ask(self, session: aiohttp.ClientSession) -> str:
        """Why the probe failed; "" if it succeeded."""
        try:
            async with session.get(self.url) as answer:
                return "" if answer.status == 200 else f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__

    async def _note(self, error: str, milliseconds: float) -> None:
        verdict = observe(self.state, success=not error, threshold=self.spec.failure_threshold)
        self.state = verdict.state
        metrics, cluster = self.metrics, self.cluster
        if not error:
            metrics.set("gateway_latency", milliseconds, target_cluster_name=cluster)
            metrics.observe("gateway_probe_latency_ms", milliseconds, target_cluster_name=cluster)
            metrics.add("gateway_probes", target_cluster_name=cluster, probe_successful="true")
        elif verdict.counts_as_failure:
            metrics.add("gateway_probes", target_cluster_name=cluster, probe_successful="false")
        metrics.set("gateway_alive", 1 if verdict.state.alive else 0, target_cluster_name=cluster)
        if verdict.changed:
            log.info("gateway verdict", link=cluster, alive=verdict.state.alive, error=error or "none")
            await self.announce(verdict.state.alive is True)
        elif error:
            log.debug("probe failed", link=cluster, error=error)


def declare(metrics: Metrics) -> None:
    """The metric names that `linkerd multicluster gateways` reads."""
    metrics.declare("gateway_alive", "gauge", "1 while the gateway answers its probe.")
    metrics.declare("gateway_enabled", "gauge", "1 for a link with a gateway.")
    metrics.declare("gateway_latency", "gauge", "Latency of the last successful probe, milliseconds.")
    metrics.declare_histogram(
        "gateway_probe_latency_ms", "Latencies of successful probes, milliseconds.", LATENCIES_MS
    )
    metrics.declare("gateway_probes", "counter", "Probes by outcome.")
    metrics.declare("service_mirror_endpoint_repairs", "counter", "Periodic endpoint repairs.")
