"""Adds to a state what the mesh's own program checks: `linkerd check`, of each cluster that answers.

It takes seconds, so it belongs to a single look and not to a view that is kept up to date.
"""

from contextlib import AsyncExitStack
from dataclasses import replace

from lab.base.errors import LabError
from lab.mesh.protocol import Finding, MeshCluster
from lab.mesh.select import mesh_of
from lab.observe.state import Check, LabState, Problem
from lab.ops.labs import Lab


async def checked(lab: Lab, seen: LabState) -> LabState:
    """The state with checks, and a problem for each that failed. The embedded mesh is judged by `observe`."""
    names = [cluster.name for cluster in seen.clusters if cluster.api.state == "ready"]
    if lab.topology.engine == "embedded" or not names:
        return seen
    try:
        async with AsyncExitStack() as stack:
            clusters = [
                MeshCluster(name, await stack.enter_async_context(await lab.connect(name)), "", "")
                for name in names
            ]
            found = await mesh_of(lab.topology, lab.dir).check(clusters)
    except LabError as error:
        found = [Finding("checks can be made", name, False, str(error), error.remedy) for name in names]
    return with_findings(seen, found)


def with_findings(seen: LabState, found: list[Finding]) -> LabState:
    """The same, of findings that are known. Pure."""
    checks = tuple(
        Check(
            one.where.partition(" ")[0],
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
    return replace(seen, checks=checks, problems=(*seen.problems, *failed), state=state)
