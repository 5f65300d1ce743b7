"""`lab doctor`: which engines this machine can run, what the others miss, and how to get it.

Looks, changes nothing. Each engine's findings are independent, so that one broken tool hides nothing.
An engine is usable when none of its needs is unmet; the verdict of the command is that at least one is.
"""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.base.errors import LabError
from lab.base.process import Completed, run
from lab.ops.answer import Answer
from lab.topology.model import EngineName

_PATIENCE = 10.0


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

    programs = {
        "kubectl": (["kubectl", "version", "--client"], "https://kubernetes.io/docs/tasks/tools"),
        "linkerd": (["linkerd", "version", "--client", "--short"], "https://linkerd.io/2/getting-started"),
    }
    asked = [_program("kind", name, argv, page) for name, (argv, page) in programs.items()]
    machine = [Finding("kind", row.need, row.ok, row.seen, row.remedy) for row in await preflight()]
    return [*machine, *await asyncio.gather(*asked)]


async def _existing() -> list[Finding]:
    linkerd = _program(
        "existing", "linkerd", ["linkerd", "version", "--client", "--short"], "https://linkerd.io/2/getting-started"
    )  # fmt: skip
    return [await asyncio.to_thread(_contexts), await linkerd]


async def _program(engine: EngineName, name: str, argv: list[str], page: str) -> Finding:
    if not shutil.which(name):
        return Finding(engine, name, False, "not on PATH", f"install it: {page}")
    try:
        done = await run(argv, timeout=_PATIENCE, check=False)
    except LabError as error:
        return Finding(engine, name, False, str(error), f"see {page}")
    if done.code:
        return Finding(engine, name, False, _first_line(done), f"see {page}")
    return Finding(engine, name, True, _version(done.stdout))


def _first_line(done: Completed) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[0] if lines else f"ended with code {done.code}"


def _version(text: str) -> str:
    match = re.search(r"v?\d+\.\d+\S*|(edge|stable)-\S+", text)
    return match[0] if match else (text.strip().splitlines() or ["present"])[0]


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
