"""The lab's host process: it comes, it goes, and nothing of it stays."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lab.base.state import LabDir
from lab.base.wait import until
from lab.engines.embedded import sandbox
from lab.engines.embedded.control import Control, InitGone
from lab.engines.embedded.hostpid import HostProcess, start_ticks

pytestmark = pytest.mark.netns


def _inode(pid: int, kind: str) -> int:
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


def _processes_in(pid_namespace: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if _inode(int(name), "pid") == pid_namespace:
                found.append(int(name))
        except OSError:
            continue
    return found


def _read(path: str) -> str:
    return Path(path).read_text()


def _listening() -> set[int]:
    """TCP ports somebody listens on in the host's network namespace."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"}


async def test_killing_init_ends_every_process_of_the_lab(fresh: LabDir) -> None:
    process = sandbox.running(fresh)
    assert process
    namespace = _inode(process.pid, "pid")
    assert len(_processes_in(namespace)) >= 3  # init, the network worker, the container
    os.kill(process.pid, signal.SIGKILL)
    await process.gone(5)

    async def empty() -> bool:
        return not _processes_in(namespace)

    await until(empty, timeout=5, what="end of the lab's processes")


async def test_the_host_sees_no_mount_of_a_running_lab(fresh: LabDir) -> None:
    assert str(fresh.root) not in _read("/proc/self/mounts")


async def test_the_host_sees_no_link_of_a_running_lab(fresh: LabDir) -> None:
    assert "lab0" not in _read("/proc/net/dev")


async def test_the_api_port_is_free_once_the_lab_has_ended(fresh: LabDir) -> None:
    async with Control.connect(fresh) as control:
        port = (await control.call("list"))["clusters"][0]["port"]
    assert port in _listening()
    await sandbox.end(fresh)
    assert port not in _listening()


async def test_ending_a_lab_twice_says_that_it_did_not_run(fresh: LabDir) -> None:
    assert await sandbox.end(fresh)
    assert not await sandbox.end(fresh)


async def test_starting_a_running_lab_finds_the_same_process(fresh: LabDir) -> None:
    assert await sandbox.start(fresh) == sandbox.running(fresh)


async def test_a_lab_starts_again_after_its_init_was_killed(fresh: LabDir) -> None:
    first = sandbox.running(fresh)
    assert first
    first.kill()
    await first.gone(5)
    assert sandbox.running(fresh) is None
    assert await sandbox.start(fresh) != first


async def test_connecting_to_a_lab_that_does_not_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(InitGone, match=r"lab .* is not running"):
        Control.connect(LabDir(tmp_path))


def test_a_recycled_pid_is_not_taken_for_the_lab(tmp_path: Path) -> None:
    lab = LabDir(tmp_path)
    lab.host.write_text(json.dumps({"pid": os.getpid(), "ticks": start_ticks(os.getpid()) - 1}))
    assert sandbox.running(lab) is None


def test_a_recycled_pid_is_not_killed() -> None:
    HostProcess(os.getpid(), start_ticks(os.getpid()) - 1).kill()  # would end the test run


def test_a_half_written_host_file_means_not_running(tmp_path: Path) -> None:
    lab = LabDir(tmp_path)
    lab.host.write_text('{"pid": 1')
    assert sandbox.running(lab) is None


async def test_a_lab_whose_start_was_interrupted_is_found_and_ended(fresh: LabDir) -> None:
    process = sandbox.running(fresh)
    fresh.host.unlink()
    assert sandbox.running(fresh) == process
    assert await sandbox.end(fresh)
    assert process
    assert not process.is_alive()


def _started_for(lab: LabDir) -> list[int]:
    """Processes of the host whose command line names the lab's folder."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(lab.root).encode() in words:
            found.append(int(name))
    return found


async def test_ending_a_lab_whose_start_was_just_interrupted_overlooks_nothing(tmp_path: Path) -> None:
    lab = LabDir(tmp_path / "hasty")
    start = asyncio.create_task(sandbox.start(lab))

    async def detached() -> bool:
        return len({os.getsid(pid) for pid in _started_for(lab)}) > 1  # what ends the launcher misses this

    await until(detached, timeout=10, what="a launcher at work", every=0.002)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await sandbox.end(lab)
    assert _started_for(lab) == []
    assert sandbox.running(lab) is None


async def test_a_pod_that_signals_process_one_does_not_end_the_lab(rig: Any) -> None:
    container = await rig.start("west", await rig.pod("west"), ["sleep", "600"])
    await rig.run(container, "sh", "-c", "kill 1; kill -INT 1")
    assert await rig.run(container, "echo", "still here") == "still here\n"


async def test_the_host_ends_a_lab_by_a_signal(fresh: LabDir) -> None:
    process = sandbox.running(fresh)
    assert process is not None
    process.kill(signal.SIGTERM)
    await process.gone(10)
