"""`lab tools`: what of the programs of others is here, and the download of what is missing.

What is on PATH is never replaced, and comes first; see `lab.base.programs`.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table

from lab.base import process, programs
from lab.base.errors import LabError, UsageError
from lab.ops.answer import Answer
from lab.ops.tools.fetch import fetch
from lab.ops.tools.table import Tool, chosen, machine

PATIENCE = 10.0
Ask = Callable[[str], bool]


@dataclass(frozen=True)
class Seen:
    """One tool as it is here: `path` is empty where it is missing, `problem` says why it does not run."""

    tool: Tool
    path: str = ""
    version: str = ""
    problem: str = ""


async def look(tool: Tool) -> Seen:
    """Where a tool is and which version, as it says itself. `linkerd-2.14` may be on PATH as linkerd."""
    found = [await _ask(tool, path) for path in programs.candidates(tool.name, tool.program)]
    fitting = [one for one in found if _fits(one)]
    return next(iter([*fitting, *(one for one in found if tool.name == tool.program)]), Seen(tool))


def tools(names: Sequence[str], ask: Ask) -> Answer:
    """Fetch what is missing of the named tools, or of those that everybody needs, if `ask` agrees.

    Raises UsageError when it does not.
    """
    return asyncio.run(_tools(chosen(names), ask))


async def _tools(wanted: Sequence[Tool], ask: Ask) -> Answer:
    before = await asyncio.gather(*(look(tool) for tool in wanted))
    missing = [one.tool for one in before if not one.path]
    if missing:
        rows = [f"{tool.name} {tool.release}  {tool.source(machine())}" for tool in missing]
        listed = "\n  ".join(rows)
        if not ask(f"download into {programs.cache()}:\n  {listed}\n"):
            raise UsageError(f"nothing was downloaded; missing:\n  {listed}", remedy="`lab tools --yes`")
    for tool in missing:
        await fetch(tool)
    after = await asyncio.gather(*(look(tool) for tool in wanted))
    if broken := [one for one in after if one.problem]:
        listed = "; ".join(f"{one.path}: {one.problem}" for one in broken)
        raise LabError(f"does not run: {listed}", remedy="remove it, then `lab tools` again")
    data = [
        {"tool": one.tool.name, "version": one.version, "path": one.path, "purpose": one.tool.purpose,
         "fetched": one.tool in missing}
        for one in after
    ]  # fmt: skip
    return Answer(data, _view(data))


def _view(rows: Sequence[dict[str, object]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("TOOL", "VERSION", "WHERE", "WHAT FOR"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row[key]) for key in ("tool", "version", "path", "purpose")))
    return table


async def _ask(tool: Tool, path: str) -> Seen:
    try:
        said = await process.run((path, *tool.asks_version), timeout=PATIENCE)
    except (LabError, OSError) as error:
        return Seen(tool, path, problem=str(error).partition("\n")[0])
    return Seen(tool, path, _version(said.stdout))


def _fits(seen: Seen) -> bool:
    """Whether a version is the kind that the tool's name asks for: only linkerd has several."""
    series = seen.tool.name.partition("-")[2]
    return not seen.problem and (not series or f"-{series}." in seen.version)


def _version(text: str) -> str:
    match = re.search(r"v\d+\.\d+\S*|(edge|stable|enterprise)-\S+", text)
    return match[0] if match else (text.strip().splitlines() or ["present"])[0]
