"""`lab doctor`: which engines this machine can run, what the others miss, and how to get it.

Looks, changes nothing. Each engine's findings are independent, so that one broken tool hides nothing.
An engine is usable when none of its needs is unmet; the verdict of the command is that at least one is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.ops.answer import Answer
from lab.ops.tools.run import Seen, look
from lab.ops.tools.table import chosen
from lab.topology.model import EngineName


@dataclass(frozen=True)
class Finding:
    """One thing an engine needs, what was seen of it, and what to do when it is not enough."""

    engine: EngineName
    need: str
    ok: bool
    seen: str
    remedy: str = ""


def doctor(engine: EngineName | None = None) -> Answer:
    """Findings for one engine or for all of them."""
    wanted = [engine] if engine else list(_EXAMINERS)
    findings = asyncio.run(_examine(wanted))
    usable = {name: all(one.ok for one in findings if one.engine == name) for name in wanted}
    data = {
        "engines": [
            {"engine": name, "usable": usable[name], "findings": _rows(findings, name)} for name in wanted
        ]
    }
    return Answer(data, _view(findings, usable), any(usable.values()))


def _rows(findings: Iterable[Finding], engine: EngineName) -> list[dict[str, object]]:
    return [asdict(one) for one in findings if one.engine == engine]


async def _examine(engines: Iterable[EngineName]) -> list[Finding]:
    found = await asyncio.gather(*(_EXAMINERS[name]() for name in engines))
    return [finding for group in found for finding in group]


async def _embedded() -> list[Finding]:
    from lab.engines.embedded.preflight import preflight

    return [
        Finding("embedded", row.need, row.ok, row.seen, row.remedy)
        for row in await asyncio.to_thread(preflight)
    ]


async def _kind() -> list[Finding]:
    from lab.engines.kind.preflight import preflight

    machine = [Finding("kind", row.need, row.ok, row.seen, row.remedy) for row in await preflight()]
    return [*machine, await _kubectl("kind"), await _linkerd("kind")]


async def _existing() -> list[Finding]:
    mesh = await _linkerd("existing")
    if not mesh.ok:
        without = f"{mesh.seen}; needed unless `mesh: user` or `mesh: none`: {mesh.remedy}"
        mesh = replace(mesh, ok=True, seen=without, remedy="")
    return [await asyncio.to_thread(_contexts), mesh]


async def _kubectl(engine: EngineName) -> Finding:
    """The lab does without it; its users hardly."""
    (tool,) = chosen(["kubectl"])
    seen = await look(tool)
    missing = Finding(engine, tool.name, True, f"not on PATH; {tool.purpose}; `lab tools kubectl` fetches it")
    return _finding(engine, seen) if seen.path else missing


async def _linkerd(engine: EngineName) -> Finding:
    """Its CLI, or Helm in its place."""
    cli, old, helm = [await look(tool) for tool in chosen(["linkerd", "linkerd-2.14", "helm"])]
    if cli.path and not cli.problem and old.path and old.path != cli.path:
        return replace(_finding(engine, cli), seen=f"{_where(cli)}, and {_where(old)}")
    if not cli.path and helm.path and not helm.problem:
        return replace(
            _finding(engine, helm), need="linkerd", seen=f"no CLI; {_where(helm)} stands in for it"
        )
    return _finding(engine, cli)


def _finding(engine: EngineName, seen: Seen) -> Finding:
    name, purpose = seen.tool.name, seen.tool.purpose
    if not seen.path:
        return Finding(engine, name, False, f"not on PATH ({purpose})", f"`lab tools {name}` fetches it")
    if seen.problem:
        remedy = f"remove it, then `lab tools {name}`"
        return Finding(engine, name, False, f"{seen.path} does not run: {seen.problem}", remedy)
    return Finding(engine, name, True, f"{_where(seen)}: {purpose}")


def _where(seen: Seen) -> str:
    return f"{seen.version} in {seen.path}"


def _contexts() -> Finding:
    """Contexts of the user's kubeconfig, as the official client finds it."""
    from kubernetes import config

    remedy = "point KUBECONFIG at a file with a context for each cluster"
    try:
        contexts, _ = config.list_kube_config_contexts()
    except config.ConfigException as error:
        return Finding("existing", "kubeconfig", False, str(error), remedy)
    names = [str(context["name"]) for context in contexts]
    seen = f"{len(names)} contexts: {', '.join(names[:5])}" if names else "no contexts"
    return Finding("existing", "kubeconfig", bool(names), seen, "" if names else remedy)


_EXAMINERS: dict[EngineName, Callable[[], Awaitable[list[Finding]]]] = {
    "embedded": _embedded,
    "kind": _kind,
    "existing": _existing,
}


def _view(findings: Iterable[Finding], usable: dict[EngineName, bool]) -> RenderableType:
    table = Table("engine", "needs", "", "seen", "what to do")
    for one in findings:
        mark = "ok" if one.ok else "[bold red]missing"
        table.add_row(one.engine, one.need, mark, Text(one.seen), Text("" if one.ok else one.remedy))
    words = ", ".join(f"{name}: {'usable' if can else 'not usable here'}" for name, can in usable.items())
    return Group(table, Text(words))
