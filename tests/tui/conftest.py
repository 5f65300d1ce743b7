"""A frozen lab for the interface to show, and a feed that tests hold in their hand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lab.base.errors import LabError
from lab.observe.golden import Stat, Workload
from lab.observe.state import (
    Api,
    Cluster,
    Component,
    ControlPlane,
    Event,
    Fault,
    LabState,
    Link,
    Node,
    Pods,
    Problem,
    Service,
)
from lab.tui.actions import Choice
from lab.tui.app import LabApp

ALL = ("gateway", "flat", "federated")


def cluster(name: str, **changes: Any) -> Cluster:
    core = [Component("linkerd", f"linkerd-{n}", 1, 1) for n in ("destination", "identity", "proxy-injector")]
    edge = [Component("linkerd-multicluster", n, 1, 1) for n in ("controller-x", "linkerd-gateway")]
    whole = Cluster(
        name,
        "ready",
        Api("ready", "v1.36.0"),
        ControlPlane("ready", (*core, *edge)),
        network="n1",
        nodes=(Node(f"{name}-node", True),),
        pods=Pods(11, 11),
    )
    return replace(whole, **changes)


def link(source: str, target: str, **changes: Any) -> Link:
    return replace(Link(source, target, ALL, "up", latency_ms=3.4, gateway_alive=True), **changes)


def service(source: str, host: str = "front.shop", **changes: Any) -> Service:
    name, namespace = host.split(".")
    seen = ("loadgen.traffic.serviceaccount.identity.linkerd.cluster.local",)
    whole = Service(
        source,
        namespace,
        name,
        host.replace(".", "-"),
        f"http://{host}",
        50.0,
        1.0,
        2.4,
        8.9,
        {source: 1.0},
        seen,
    )
    return replace(whole, **changes)


def state(**changes: Any) -> LabState:
    whole = LabState(
        lab="two-clusters",
        engine="embedded",
        state="ready",
        time=1_800_000_000.0,
        clusters=(cluster("west"), cluster("east")),
        links=(link("west", "east"), link("east", "west", latency_ms=3.9)),
        services=(
            service("west"),
            service("east"),
            service("west", "front-east.shop", answered_by={"east": 1.0}),
        ),
        events=(
            Event("2027-01-15T08:00:00Z", "west", "Normal", "Pod shop/front-1", "Started", "container front"),
        ),
    )
    return replace(whole, **changes)


def measured(**changes: Any) -> Stat:
    """What the proxies of front said, in both clusters; keywords replace parts of west's."""
    west = Workload("west", "shop", "Deployment", "front", 2, 2, 2, 40.0, 1.0, 3.1, 21.4, 1.0, 12)
    east = replace(west, cluster="east", rate=None, success=None, p50_ms=None, p99_ms=None, mtls=None)
    return Stat("two-clusters", 1_800_000_000.0, 6.0, (replace(west, **changes), east))


def broken_state() -> LabState:
    """East is paused by a fault; west's traffic has moved and lost some on the way."""
    fault = Fault("pause-1", "pause", "east", "active", since=1_799_999_988.0, clusters=("east",))
    east = cluster("east", state="paused", api=Api("paused"), faults=("pause-1",), nodes=(), pods=Pods())
    down = {"state": "down", "reason": "east is paused", "latency_ms": None, "faults": ("pause-1",)}
    return state(
        state="degraded",
        clusters=(cluster("west"), east),
        links=(link("west", "east", **down), link("east", "west", **{**down, "state": "unknown"})),
        services=(
            service("west", success=0.94, errors={"timeout": 12}, p99_ms=1004.0),
            service("west", "front-east.shop", success=0.0, p50_ms=None, p99_ms=5000.0, answered_by={}),
        ),
        faults=(fault,),
        problems=(Problem("cluster east", "is paused", "lab fault.heal --id pause-1"),),
    )


class HandFeed:
    """A feed that yields what the test gives it and otherwise waits; `readers` of it are counted."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.readers = 0

    def give(self, item: LabState | Stat | LabError) -> None:
        self.queue.put_nowait(item)

    async def __call__(self) -> AsyncIterator[Any]:
        self.readers += 1
        try:
            while True:
                item = await self.queue.get()
                if isinstance(item, LabError):
                    raise item
                yield item
        finally:
            self.readers -= 1


class Recorder:
    """Actions that note what was asked; `error` makes them fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.error: LabError | None = None

    async def inject(self, choice: Choice) -> str:
        return self._note(choice.kind, choice.target)

    async def heal(self, fault_id: str) -> str:
        return self._note("heal", fault_id)

    def _note(self, verb: str, target: str) -> str:
        self.asked.append((verb, target))
        if self.error:
            raise self.error
        return f"{verb} {target} done"


class Bench:
    """An app with its hand-held feed, recorder and clock."""

    def __init__(self) -> None:
        self.feed, self.stats, self.actions, self.now = HandFeed(), HandFeed(), Recorder(), 0.0
        self.app = LabApp(self.feed, self.stats, self.actions, clock=lambda: self.now)

    async def show(self, pilot: Any, item: LabState | Stat | LabError) -> None:
        (self.stats if isinstance(item, Stat) else self.feed).give(item)
        await pilot.pause()
        await pilot.pause()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def lab() -> Any:
    """Builders of states: `lab.state`, `lab.broken`, `lab.cluster`, `lab.link`, `lab.service`."""

    class Lab:
        pass

    made = Lab()
    made.__dict__.update(
        state=state, broken=broken_state, cluster=cluster, link=link, service=service, measured=measured
    )
    return made
