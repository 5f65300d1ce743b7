"""Checks of a view that is kept up to date: beside its looks, one at a time, and never passed off as new."""

import asyncio

import pytest

from lab.base.errors import LabError
from lab.mesh.protocol import Finding
from lab.observe.state import Api, Cluster, ControlPlane, LabState
from lab.ops.checked import EVERY, Checks

BAD = Finding("linkerd-identity: trust anchors match", "west", False, "* east", "see HINT")


def state(time: float, **apis: str) -> LabState:
    clusters = tuple(
        Cluster(name, "ready", Api(api), ControlPlane("ready"))  # type: ignore[arg-type]
        for name, api in (apis or {"west": "ready"}).items()
    )
    return LabState("demo", "kind", "ready", time, clusters=clusters)


class Desk:
    """Checks with a clock and an end in the test's hand."""

    def __init__(self) -> None:
        self.now, self.asked, self.may_end = 1000.0, [], asyncio.Event()
        self.checks = Checks(self.make, clock=lambda: self.now)

    async def make(self, names: list[str]) -> list[Finding]:
        self.asked.append(names)
        await self.may_end.wait()
        return [BAD]

    async def look(self, **apis: str) -> LabState:
        seen = self.checks.add(state(self.now, **apis))
        await asyncio.sleep(0)  # what was begun gets its turn
        await asyncio.sleep(0)
        return seen


@pytest.fixture
async def desk():
    made = Desk()
    yield made
    await made.checks.end()


async def test_looks_go_on_while_checks_are_made_and_none_are_begun_twice(desk: Desk) -> None:
    for _ in range(4):
        assert (await desk.look()).checks == ()
        desk.now += EVERY
    assert desk.asked == [["west"]]


async def test_what_failed_is_a_problem_until_the_next_checks_are_made(desk: Desk) -> None:
    await desk.look()
    desk.may_end.set()
    await desk.look()
    seen = await desk.look()
    assert [one.what for one in seen.problems] == [f"check failed: {BAD.check}: * east"]
    assert (seen.state, seen.checked_at) == ("degraded", 1000.0)
    assert desk.asked == [["west"]]
    desk.now += EVERY
    assert (await desk.look()).problems == seen.problems
    assert len(desk.asked) == 2


async def test_the_age_of_checks_counts_from_their_beginning(desk: Desk) -> None:
    await desk.look()
    desk.may_end.set()
    await desk.look()
    desk.may_end.clear()
    desk.now += EVERY
    await desk.look()  # these do not end
    desk.now += 60
    assert (await desk.look()).checks_age == 60 + EVERY


async def test_a_cluster_that_is_silent_is_not_checked_and_shows_no_old_results(desk: Desk) -> None:
    await desk.look()
    desk.may_end.set()
    await desk.look()
    desk.now += EVERY
    seen = await desk.look(west="paused", east="ready")
    assert (seen.checks, seen.problems, seen.checked_at) == ((), (), None)
    assert desk.asked[-1] == ["east"]


async def test_a_defect_of_the_checks_is_not_hidden() -> None:
    async def make(names: list[str]) -> list[Finding]:
        raise LabError("no such thing")

    checks = Checks(make)
    checks.add(state(0.0))
    await asyncio.sleep(0)
    with pytest.raises(LabError, match="no such thing"):
        checks.add(state(1.0))


async def test_checks_under_way_end_with_the_view() -> None:
    ended = asyncio.Event()

    async def make(names: list[str]) -> list[Finding]:
        try:
            return await asyncio.Event().wait() or []
        finally:
            ended.set()

    checks = Checks(make)
    checks.add(state(0.0))
    await asyncio.sleep(0)
    await checks.end()
    assert ended.is_set()
