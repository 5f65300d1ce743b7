"""Adds to a state what the mesh's own program checks: `linkerd check`, of each cluster that answers.

It takes seconds: a single look waits for it, a view that is kept up to date has it made beside its looks.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from lab.base.errors import LabError
from lab.mesh.protocol import Finding, MeshCluster
from lab.mesh.select import mesh_of
from lab.observe.state import Check, LabState, Problem
from lab.ops.labs import Lab

EVERY = 30.0
"""Seconds between the beginnings of checks of a view that is kept up to date."""


async def checked(lab: Lab, seen: LabState) -> LabState:
    """The state with checks, and a problem for each that failed. The embedded mesh is judged by `observe`."""
    return with_findings(seen, await findings(lab, answering(seen)), seen.time)


class Checks:
    """The checks of a view: never two at once, and no look waits for them."""

    def __init__(
        self, make: Callable[[list[str]], Awaitable[list[Finding]]], clock: Callable[[], float] = time.time
    ) -> None:
        self._make, self._clock = make, clock
        self._task: asyncio.Future[list[Finding]] | None = None
        self._begun = self._at = 0.0
        self._found: list[Finding] = []

    def add(self, seen: LabState) -> LabState:
        """The state with what was found last in clusters that answer; new checks begin when they are due."""
        if self._task is not None and self._task.done():
            self._found, self._at = self._task.result(), self._begun
            self._task = None
        names = answering(seen)
        if self._task is None and names and self._clock() >= self._begun + EVERY:
            self._begun = self._clock()
            self._task = asyncio.ensure_future(self._make(names))
        return with_findings(seen, [one for one in self._found if _cluster(one) in names], self._at)

    async def end(self) -> None:
        """Give up checks under way; the programs that make them end with them."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


@asynccontextmanager
async def checks_of(lab: Lab) -> AsyncIterator[Checks]:
    """The checks of a view of this lab."""
    checks = Checks(lambda names: findings(lab, names))
    try:
        yield checks
    finally:
        await checks.end()


def answering(seen: LabState) -> list[str]:
    """The clusters that checks can be made of."""
    return [cluster.name for cluster in seen.clusters if cluster.api.state == "ready"]


async def findings(lab: Lab, names: list[str]) -> list[Finding]:
    """What the mesh's own program finds in these clusters; that it could not look is found in each."""
    if lab.topology.engine == "embedded" or not names:
        return []
    try:
        async with AsyncExitStack() as stack:
            clusters = [
                MeshCluster(name, await stack.enter_async_context(await lab.connect(name)), "", "")
                for name in names
            ]
            return await mesh_of(lab.topology, lab.dir).check(clusters)
    except (LabError, OSError) as error:
        remedy = error.remedy if isinstance(error, LabError) else ""
        return [Finding("checks can be made", name, False, str(error), remedy) for name in names]


def with_findings(seen: LabState, found: list[Finding], at: float) -> LabState:
    """The same, of findings that are known, of checks that began `at` that Unix time. Pure."""
    checks = tuple(
        Check(
            _cluster(one),
            one.check,
            "error" if not one.ok else "warning" if one.is_warning else "success",
            one.seen,
            one.remedy,
        )
        for one in found
    )
    failed = tuple(
        Problem(f"cluster {one.where}", f"check failed: {one.check}: {one.seen}", one.remedy)
        for one in found
        if not one.ok
    )
    state = "degraded" if failed and seen.state == "ready" else seen.state
    problems, checked_at = (*seen.problems, *failed), at if found else None
    return replace(seen, checks=checks, checked_at=checked_at, problems=problems, state=state)


def _cluster(found: Finding) -> str:
    return found.where.partition(" ")[0]
