"""Does what acts say, one by one. Called by `converge` and `faults`."""

import asyncio
from pathlib import Path

from lab.base import process
from lab.base.errors import CommandError, EngineUnavailable, LabError
from lab.base.state import make_private, write_private
from lab.engines.kind import shaping
from lab.engines.kind.acts import (
    Act,
    InNode,
    LimitNode,
    RemoveFile,
    RunDocker,
    RunKind,
    StartNode,
    WriteFile,
)
from lab.engines.kind.daemon import CPU_PERIOD, Daemon
from lab.engines.kind.explain import explained
from lab.engines.kind.nodes import Node


async def perform(daemon: Daemon, act: Act) -> None:
    """Raises LabError that names the act, what it said, and what to do about it."""
    match act:
        case WriteFile(path=path, content=content):
            await asyncio.to_thread(_write, path, content)
        case RemoveFile(path=path):
            path.unlink(missing_ok=True)
        case RunKind() | RunDocker():
            await run(act)
        case LimitNode():
            await _limit(daemon, act)
        case StartNode(node=node):
            await daemon.act_on(node, "start")
        case InNode():
            await in_node(daemon, Node(act.node, act.where, ""), act.argv)


async def in_node(daemon: Daemon, node: Node, argv: tuple[str, ...]) -> str:
    """Run a program in a node; the result is its output. Raises LabError if it fails."""
    said = await daemon.run_in(node, argv)
    if said.code:
        words = (said.err or said.out).strip() or "(no output)"
        _refuse_without_netem(node.name, words)
        raise LabError(f"`docker exec {node.name} {' '.join(argv)}` ended with code {said.code}: {words}")
    return said.out


async def _limit(daemon: Daemon, act: LimitNode) -> None:
    limits: dict[str, int] = {}
    if act.cpus:
        limits |= {"cpu_period": CPU_PERIOD, "cpu_quota": round(act.cpus * CPU_PERIOD)}
    if act.memory:
        limits |= {"mem_limit": act.memory, "memswap_limit": act.memory}
    await daemon.act_on(act.node, "update", **limits)


async def run(act: RunKind | RunDocker) -> str:
    """Run kind or docker; the result is their output."""
    program, env = ("kind", act.env) if isinstance(act, RunKind) else ("docker", {})
    argv = (program, *act.argv)
    done = await process.run(argv, timeout=act.timeout, env=env, check=False)
    if done.code:  # builds tell half of it on standard output
        _refuse_without_netem(act.where, done.stderr)
        raise explained(CommandError(argv, done.code, done.stdout + done.stderr), act.line)
    return done.stdout


def _refuse_without_netem(where: str, words: str) -> None:
    if shaping.NO_NETEM in words:
        raise EngineUnavailable(f"{where}: {shaping.NETEM_MISSING}", remedy=shaping.NETEM_REMEDY)


def _write(path: Path, content: str) -> None:
    make_private(path.parent)
    write_private(path, content)
