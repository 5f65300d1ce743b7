"""The embedded engine: clusters are programs and network namespaces under one host process per lab.

Every verb starts from what init and the kernel report, so an interrupted one is completed by the next. The
order in which a lab comes up is in `converge`; faults are in `faults`.
"""

import shutil

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.engines.embedded import converge, faults, sandbox
from lab.engines.embedded.control import Control
from lab.engines.protocol import (
    ActualFaults,
    ClusterState,
    Component,
    EngineFault,
    EngineState,
    Progress,
)
from lab.plan.addresses import LabPlan

GRACE = 0.6
EXIT_SECONDS = 2.0
KEPT_BY_PURGE = "lock"


class EmbeddedEngine:
    """See lab.engines.protocol.Engine for what each method promises."""

    name = "embedded"

    def is_running(self, lab: LabDir) -> bool:
        return sandbox.running(lab) is not None

    async def observe(self, lab: LabDir) -> EngineState:
        process = sandbox.running(lab)
        if process is None:
            return EngineState(running=False)
        async with Control.connect(lab) as control:
            seen = await control.call("list")
            actual, readings = await faults.survey(control)
        parts: dict[str, dict[str, Component]] = {}
        for row in seen["components"]:
            cluster, _, name = row["key"].partition("/")
            component = Component(name, row["state"], row["restarts"], row["last_exit"])
            parts.setdefault(cluster, {})[name] = component
        clusters = {
            row["name"]: ClusterState(
                name=row["name"],
                api=f"https://127.0.0.1:{row['port']}",
                node_ip=row["plan"]["node_ip"],
                network=row["plan"]["network"],
                paused=row["paused"],
                components=parts.get(row["name"], {}),
            )
            for row in seen["clusters"]
        }
        return EngineState(True, process.pid, clusters, actual, readings)

    async def ensure(self, lab: LabDir, plan: LabPlan, progress: Progress) -> None:
        await converge.bring_up(lab, plan, progress)

    async def commands(self, lab: LabDir, plan: LabPlan) -> list[tuple[str, str]]:
        return []

    async def remove(self, lab: LabDir, *, purge: bool = False) -> None:
        process = sandbox.running(lab)
        if process:
            try:
                async with Control.connect(lab) as control:
                    await control.call("shutdown", grace=GRACE)
                await process.gone(EXIT_SECONDS)
            except LabError as error:
                converge.log.warning("init does not end by itself; killing it", lab=lab.name, error=error)
        await sandbox.end(lab)
        if purge and lab.root.exists():
            _purge(lab)

    async def apply_fault(self, lab: LabDir, fault: EngineFault) -> None:
        async with Control.connect(lab) as control:
            await faults.apply(control, fault)

    async def clear_fault(self, lab: LabDir, fault: EngineFault) -> None:
        if not self.is_running(lab):
            return  # its faults went with the lab
        async with Control.connect(lab) as control:
            await faults.clear(control, fault)

    async def read_faults(self, lab: LabDir) -> ActualFaults:
        if not self.is_running(lab):
            return ActualFaults()
        async with Control.connect(lab) as control:
            return await faults.read(control)


def _purge(lab: LabDir) -> None:
    """Delete everything in the lab's folder but the lock that the caller holds."""
    for path in lab.root.iterdir():
        if path.name == KEPT_BY_PURGE:
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise LabError(f"cannot remove {error.filename}: {error.strerror}") from error
