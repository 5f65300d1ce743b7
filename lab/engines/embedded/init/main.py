"""PID 1 of a lab: makes its private /proc and /run, then serves the control socket until told to stop.

When this process ends, for whatever reason, the kernel kills all others of the lab and removes its
namespaces, links and mounts.
"""

import gc
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from lab.base.state import LabDir
from lab.engines.embedded import namespaces as ns
from lab.engines.embedded.init.cgroups import Cgroups, record_of
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.init.operations import Operations
from lab.engines.embedded.mounts import View
from lab.kube.objects import content_hash


def run(lab: LabDir, keep_paths: tuple[str, ...], on_ready: Callable[[], None]) -> int:
    """Be init; calls `on_ready` once requests can be sent."""
    ns.set_process_name(f"lab-{lab.name}")
    socket.sethostname(lab.name)
    prepare_mounts(lab.root / "memory", keep_paths)
    loop = Loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.on_signal(number, loop.stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    folder = f"multicluster-lab-{lab.name}-{content_hash(str(lab.root))[:6]}"
    Operations(loop, lab.logs, lab.control_socket, Cgroups(folder, record_of(lab)))
    gc.collect()
    gc.freeze()
    on_ready()
    loop.run()
    lab.control_socket.unlink(missing_ok=True)
    return 0


def prepare_mounts(memory: Path, keep_paths: tuple[str, ...]) -> None:
    """The lab's own /proc, an empty /run for named network namespaces, a tmpfs for volumes in memory."""
    ns.mount("none", "/", flags=ns.MS_REC | ns.MS_PRIVATE)
    View().hide("/run", keep_paths)
    Path("/run/netns").mkdir()
    ns.mount("proc", "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    memory.mkdir(mode=0o700, exist_ok=True)
    ns.mount("tmpfs", str(memory), "tmpfs", data="mode=700")
