"""What containers are given: terminals and input, users, working folders, memory and processor time."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.base.wait import until
from lab.engines.embedded.init.cgroups import Cgroups, Group, Limits, record_of, sweep
from lab.pocket.node.runtime import Mount

pytestmark = pytest.mark.netns


@pytest.fixture
async def pod(rig: Any) -> Any:
    return await rig.pod("west")


async def attach(rig: Any, container: Any) -> int:
    _answer, fds = await rig.control.call_with_fds("attach", (), id=container["id"])
    return int(fds[0])


async def logged(rig: Any, text: str) -> str:
    async def there() -> str:
        said = rig.log.read_text()
        return said if text in said else ""

    return await until(there, timeout=10, what=f"{text!r} in the log", every=0.01)


async def test_a_container_reads_what_an_attached_client_writes(rig: Any, pod: Any) -> None:
    container = await rig.start("west", pod, ["cat"], stdin=True, stdin_once=True)
    fd = await attach(rig, container)
    os.write(fd, b"hello\n")
    await logged(rig, "hello")
    os.close(fd)
    assert (await rig.end_of(container["id"]))["exit_code"] == 0


async def test_input_that_is_not_for_one_client_only_outlives_it(rig: Any, pod: Any) -> None:
    container = await rig.start("west", pod, ["cat"], stdin=True)
    for word in ("one", "two"):
        fd = await attach(rig, container)
        os.write(fd, f"{word}\n".encode())
        os.close(fd)
        await logged(rig, word)


async def test_a_container_with_a_terminal_shows_it_in_its_log(rig: Any, pod: Any) -> None:
    container = await rig.start("west", pod, ["sh", "-c", "tty; stty size; read x; stty size"], tty=True)
    await logged(rig, "0 0")
    await rig.control.call("resize", id=container["id"], columns=90, rows=30)
    fd = await attach(rig, container)
    os.write(fd, b"\n")
    os.close(fd)
    assert "/dev/pts/" in await logged(rig, "30 90")
    assert (await rig.end_of(container["id"]))["exit_code"] == 0


async def test_a_missing_working_folder_is_made(rig: Any, pod: Any) -> None:
    container = await rig.start("west", pod, ["sh", "-c", "pwd; sleep 600"], working_dir="/no-such/work")
    assert "/no-such/work" in await logged(rig, "work")
    assert "no-such" not in os.listdir("/")
    assert await rig.run(container, "pwd") == "/no-such/work\n"


async def test_a_container_has_the_usual_devices_and_no_others(rig: Any, pod: Any) -> None:
    container = await rig.start("west", pod, ["sleep", "600"])
    assert await rig.run(container, "sh", "-c", "head -c3 /dev/zero | wc -c; echo x > /dev/null") == "3\n"
    assert "vda" not in (await rig.run(container, "ls", "/dev")).split()


async def test_a_file_can_be_mounted_among_the_devices(rig: Any, pod: Any, tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.touch()
    mount = Mount("/dev/termination-log", str(message))
    container = await rig.start("west", pod, ["sh", "-c", "echo bye > /dev/termination-log"], [mount])
    await rig.end_of(container["id"])
    assert message.read_text() == "bye\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only a lab of root has other users")
async def test_a_container_and_its_execs_run_as_the_user_that_is_asked_for(rig: Any, pod: Any) -> None:
    who = {"user": 1234, "group": 2345, "groups": (3456,)}
    container = await rig.start("west", pod, ["sh", "-c", "id; sleep 600"], **who)
    assert "uid=1234 gid=2345 groups=2345,3456" in await logged(rig, "uid=")
    assert "uid=1234 gid=2345" in await rig.run(container, "id")
    assert "Permission denied" in await rig.run(container, "touch", "/etc/not-mine")


async def limited(rig: Any, pod: Any, code: str, **limits: Any) -> Any:
    why = (await rig.control.call("list"))["why_no_limits"]
    if why:
        pytest.skip(why)
    return await rig.start("west", pod, [sys.executable, "-c", code], **limits)


async def test_a_container_that_takes_too_much_memory_is_killed_and_it_is_known_why(
    rig: Any, pod: Any
) -> None:
    container = await limited(rig, pod, "x = b'x' * (200 << 20)", memory=32 << 20)
    ended = await rig.end_of(container["id"])
    assert (ended["exit_code"], ended["oom_killed"]) == (137, True)


async def test_a_container_within_its_memory_ends_as_it_likes(rig: Any, pod: Any) -> None:
    container = await limited(rig, pod, "raise SystemExit(7)", memory=64 << 20)
    ended = await rig.end_of(container["id"])
    assert (ended["exit_code"], ended["oom_killed"]) == (7, False)


async def test_processor_time_is_limited(rig: Any, pod: Any) -> None:
    """A tenth of a processor: in half a second of clock, a twentieth of a second or a little more."""
    code = "import time\nend = time.monotonic() + 0.5\nwhile time.monotonic() < end: pass\n"
    container = await limited(rig, pod, f"{code}print('took', time.process_time())", cpu=0.1)
    await rig.end_of(container["id"])
    assert float((await logged(rig, "took")).split()[-1]) < 0.25


async def test_groups_of_ended_containers_are_removed(rig: Any, lab: Any, pod: Any) -> None:
    container = await limited(rig, pod, "pass", memory=64 << 20)
    await rig.end_of(container["id"])
    parents = [Path(parent) for parent in await asyncio.to_thread(_parents, lab)]

    async def empty() -> bool:
        return not any(list(parent.glob("*/")) for parent in parents)

    await until(empty, timeout=5, what="no groups left", every=0.05)


def _parents(lab: Any) -> list[str]:
    import json

    found: list[str] = json.loads(record_of(lab).read_text())
    return found


class TestUnified:
    """Version 2, on files that look like it: this needs no such kernel."""

    @pytest.fixture
    def mount(self, tmp_path: Path) -> Path:
        mount = tmp_path / "cgroup"
        mount.mkdir()
        (mount / "cgroup.controllers").write_text("cpu memory pids\n")
        (mount / "cgroup.subtree_control").write_text("cpu memory pids\n")
        return mount

    def test_a_machine_whose_groups_cannot_be_written_says_why(self, mount: Path, tmp_path: Path) -> None:
        (mount / "lab").write_text("in the way")
        groups = Cgroups("lab", tmp_path / "record", mount)
        assert "no control groups can be made" in groups.why_not
        assert groups.make(Limits(memory=1)) is None

    def test_limits_are_written_as_the_kernel_reads_them(self, mount: Path, tmp_path: Path) -> None:
        (mount / "lab").mkdir()
        (mount / "lab" / "cgroup.subtree_control").write_text("cpu memory\n")
        group = Cgroups("lab", tmp_path / "record", mount).make(Limits(memory=64 << 20, cpu=0.25))
        assert group is not None
        [folder] = group.folders
        assert (folder / "memory.max").read_text() == "67108864"
        assert (folder / "cpu.max").read_text() == "25000 100000"

    @pytest.mark.parametrize(("count", "wanted"), [(0, False), (2, True)])
    def test_a_kill_for_want_of_memory_is_counted(self, tmp_path: Path, count: int, wanted: bool) -> None:
        (tmp_path / "memory.events").write_text(f"max 12\noom 1\noom_kill {count}\noom_group_kill 0\n")
        assert Group((tmp_path,)).has_killed() is wanted

    def test_what_a_lab_left_is_swept(self, tmp_path: Path) -> None:
        left = tmp_path / "cgroup" / "lab"
        (left / "1").mkdir(parents=True)
        (tmp_path / "record").write_text(f'["{left}"]')
        sweep(tmp_path / "record")
        assert not left.exists()
