"""Adds, changes and removes links of a running lab; the lab's stored topology follows."""

import asyncio
from contextlib import AsyncExitStack

from lab.base.errors import TopologyError, UsageError
from lab.engines.lock import held
from lab.faults import baseline
from lab.observe import table
from lab.ops.answer import Answer
from lab.ops.labs import Lab, find
from lab.ops.status import observer
from lab.ops.up import converge
from lab.topology.check import check
from lab.topology.links import DirectedLink, directed_links


def add(ends: tuple[str, str], *, lab: str = "", modes: tuple[str, ...] = (), both: bool = False) -> Answer:
    """Link two clusters, or change what their link carries. Raises TopologyError if that cannot be."""
    target = find(lab)
    source, other = map(target.check_cluster, ends)
    kept = [link for link in directed_links(target.topology) if not _joins(link, ends, both=both)]
    fresh = {"from": source, "to": other, "both": both, **({"modes": list(modes)} if modes else {})}
    return _change(
        target, [*map(_written, kept), fresh], f"{source} {'<->' if both else '->'} {other}: linked"
    )


def remove(ends: tuple[str, str], *, lab: str = "", both: bool = False) -> Answer:
    """Unlink two clusters: the source's mirrors, their controller and credentials go away."""
    target = find(lab)
    source, other = map(target.check_cluster, ends)
    links = directed_links(target.topology)
    kept = [link for link in links if not _joins(link, ends, both=both)]
    if len(kept) == len(links):
        there = ", ".join(map(str, links)) or "none"
        raise UsageError(f"lab {target.name} has no link {source} -> {other}; links there: {there}")
    return _change(target, list(map(_written, kept)), f"{source} {'<->' if both else '->'} {other}: unlinked")


def links(name: str) -> Answer:
    """Links with their modes and health."""
    target = find(name)

    async def look() -> Answer:
        async with observer(target) as eyes:
            seen = await eyes.look()
        rows = seen.to_json()["links"]
        return Answer(rows, table.links(seen.links) if seen.links else "no links")

    return asyncio.run(look())


def _joins(link: DirectedLink, ends: tuple[str, str], *, both: bool) -> bool:
    return (link.source, link.target) == ends or (both and (link.target, link.source) == ends)


def _written(link: DirectedLink) -> dict[str, object]:
    """A directed link as the file writes it."""
    return {"from": link.source, "to": link.target, "modes": list(link.modes), **link.wan.words()}


def _change(lab: Lab, written: list[dict[str, object]], said: str) -> Answer:
    topology = lab.topology.model_validate(
        {**lab.topology.model_dump(mode="json", by_alias=True, exclude_none=True), "links": written}
    )
    if problems := check(topology):
        raise TopologyError(f"lab {lab.name}", [str(problem) for problem in problems])

    async def run() -> None:
        async with AsyncExitStack() as stack:
            await converge(lab.with_topology(topology), (), stack)
        await baseline.keep(lab.site)

    with held(lab.dir, "link"):
        asyncio.run(run())
    return Answer({"lab": lab.name, "links": written}, said)
