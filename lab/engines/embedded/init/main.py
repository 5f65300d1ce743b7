"""PID 1 of a lab: makes its private /proc and /run, then serves the control socket until told to stop.

When this process ends, for whatever reason, the kernel kills all others of the lab and removes its
namespaces, links and mounts.
"""

import gc
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from lab.base.state import LabDir
from lab.engines.embedded import namespaces as ns
from lab.engines.embedded.init.cgroups import Cgroups, record_of
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.init.operations import Operations
from lab.engines.embedded.mounts import View
from lab.kube.objects import content_hash

STOPPING = (signal.SIGTERM, signal.SIGINT)


def run(lab: LabDir, keep_paths: tuple[str, ...], on_ready: Callable[[], None]) -> int:
    """Be init; calls `on_ready` once requests can be sent."""
    ns.set_process_name(f"lab-{lab.name}")
    socket.sethostname(lab.name)
    prepare_mounts(lab.root / "memory", keep_paths)
    loop = Loop()
    _stop_when_told_from_outside(loop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    folder = f"multicluster-lab-{lab.name}-{content_hash(str(lab.root))[:6]}"
    Operations(loop, lab.logs, lab.control_socket, Cgroups(folder, record_of(lab)))
    gc.collect()
    gc.freeze()
    on_ready()
    loop.run()
    lab.control_socket.unlink(missing_ok=True)
    return 0


def _stop_when_told_from_outside(loop: Loop) -> None:
    """SIGTERM of the host ends the lab; that of a pod does not, which to itself only said `kill 1`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    fd = ns.signal_fd(STOPPING)

    def told() -> None:
        if sender := ns.read_sender(fd):
            print(f"a signal of process {sender} of the lab to its init was ignored", file=sys.stderr)  # noqa: T201
        else:
            loop.stop()

    loop.on_readable(fd, told)


def prepare_mounts(memory: Path, keep_paths: tuple[str, ...]) -> None:
    """The lab's own /proc, an empty /run for named network namespaces, a tmpfs for volumes in memory."""
    ns.mount("none", "/", flags=ns.MS_REC | ns.MS_PRIVATE)
    View().hide("/run", keep_paths)
    Path("/run/netns").mkdir()
    ns.mount("proc", "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    memory.mkdir(mode=0o700, exist_ok=True)
    ns.mount("tmpfs", str(memory), "tmpfs", data="mode=700")
