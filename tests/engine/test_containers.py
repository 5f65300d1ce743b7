"""Containers under init: what they see, how they are reached, how they end."""

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import LabError
from lab.pocket.node.runtime import Mount, UnknownImage

pytestmark = pytest.mark.netns


@pytest.fixture
async def sleeper(rig: Any) -> Any:
    return await rig.start("west", await rig.pod("west"), ["sleep", "600"])


async def test_a_volume_appears_at_a_path_the_host_does_not_have(rig: Any, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "file").write_text("content")
    mount = Mount("/no-such-folder/deep/volume", str(tmp_path / "volume"))
    container = await rig.start("west", await rig.pod("west"), ["sleep", "600"], [mount])
    assert await rig.run(container, "cat", "/no-such-folder/deep/volume/file") == "content"
    assert "no-such-folder" not in os.listdir("/")


async def test_neighbours_of_a_synthesised_folder_stay_visible(rig: Any) -> None:
    container = await rig.start(
        "west", await rig.pod("west"), ["sleep", "600"], [Mount("/etc/no-such/dir", "")]
    )
    assert set((await rig.run(container, "ls", "-A", "/etc")).split()) == {*os.listdir("/etc"), "no-such"}


async def test_a_single_file_can_be_mounted_over_a_host_file(rig: Any, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("10.0.0.1 elsewhere\n")
    mount = Mount("/etc/hosts", str(tmp_path / "hosts"), read_only=True)
    container = await rig.start("west", await rig.pod("west"), ["sleep", "600"], [mount])
    assert await rig.run(container, "cat", "/etc/hosts") == "10.0.0.1 elsewhere\n"


async def test_a_read_only_volume_cannot_be_written(rig: Any, tmp_path: Path) -> None:
    mount = Mount("/volume", str(tmp_path), read_only=True)
    container = await rig.start("west", await rig.pod("west"), ["sleep", "600"], [mount])
    assert "Read-only" in await rig.run(container, "touch", "/volume/file")


async def test_one_volume_can_lie_inside_another(rig: Any, tmp_path: Path) -> None:
    mounts = [Mount("/outer/inner", ""), Mount("/outer", str(tmp_path))]
    container = await rig.start("west", await rig.pod("west"), ["sleep", "600"], mounts)
    await rig.run(container, "touch", "/outer/inner/file")
    assert list((tmp_path / "inner").iterdir()) == []


async def test_a_container_has_its_own_tmp(rig: Any, sleeper: Any) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp", prefix="only-on-the-host"):
        assert "only-on-the-host" not in await rig.run(sleeper, "ls", "/tmp")


async def test_a_container_does_not_see_the_labs_network_namespaces(rig: Any, sleeper: Any) -> None:
    assert "netns" not in await rig.run(sleeper, "ls", "/run")


async def test_the_host_name_is_the_pods(rig: Any, sleeper: Any) -> None:
    assert (await rig.run(sleeper, "hostname")).strip() == sleeper["pod_uid"]


async def test_an_exec_has_the_containers_environment(rig: Any, sleeper: Any) -> None:
    assert await rig.run(sleeper, "sh", "-c", 'echo "$GREETING"') == "hello\n"


async def test_an_exec_with_a_terminal_has_one(rig: Any, sleeper: Any) -> None:
    assert "/dev/pts/" in await rig.run(sleeper, "tty", tty=True)


async def test_the_end_of_an_exec_is_an_event_with_its_code(rig: Any, sleeper: Any) -> None:
    answer, fds = await rig.control.call_with_fds(
        "exec", (), id=sleeper["id"], argv=["sh", "-c", "exit 7"], tty=False
    )
    for fd in fds:
        os.close(fd)
    assert (await rig.end_of(answer["id"]))["exit_code"] == 7


async def test_an_exec_reads_what_its_caller_writes(rig: Any, sleeper: Any) -> None:
    _answer, fds = await rig.control.call_with_fds("exec", (), id=sleeper["id"], argv=["cat"], tty=False)
    os.write(fds[0], b"through the pipe")
    os.close(fds[0])
    assert os.read(fds[1], 100) == b"through the pipe"
    os.close(fds[1])
    os.close(fds[2])


async def test_an_end_by_signal_is_reported_as_128_plus_its_number(rig: Any, sleeper: Any) -> None:
    await rig.control.call("signal", id=sleeper["id"], signal=int(signal.SIGTERM))
    assert (await rig.end_of(sleeper["id"]))["exit_code"] == 143


async def test_what_a_container_forked_ends_with_it(rig: Any, sleeper: Any, tmp_path: Path) -> None:
    pod = await rig.pod("west")
    lock = tmp_path / "pid"
    script = f"setsid sleep 600 & echo $! > {lock}.new; mv {lock}.new {lock}; exit 0"
    container = await rig.start("west", pod, ["sh", "-c", script], [Mount(str(tmp_path), str(tmp_path))])
    while (await rig.events.get())["id"] != container["id"]:
        pass
    assert "sleep" not in await rig.run(
        sleeper, "sh", "-c", f"cat /proc/{lock.read_text().strip()}/comm; true"
    )


async def test_an_unknown_image_says_how_to_map_it(rig: Any) -> None:
    with pytest.raises(UnknownImage, match=r'images: \{"example.org/app:'):
        await rig.start("west", await rig.pod("west"), [], image="example.org/app:1")


async def test_a_mapped_image_runs_its_program(rig: Any) -> None:
    container = await rig.start("west", await rig.pod("west"), [], image="sleep")
    assert (await rig.run(container, "cat", f"/proc/{container['pid']}/comm")).strip() == "sleep"


async def test_a_missing_program_is_named(rig: Any) -> None:
    with pytest.raises(LabError, match="'no-such-program' is not on this machine"):
        await rig.start("west", await rig.pod("west"), ["no-such-program"])


async def test_a_removed_pod_leaves_no_process(rig: Any, sleeper: Any) -> None:
    await rig.control.call("remove-sandbox", pod_uid=sleeper["pod_uid"])
    other = await rig.start("west", await rig.pod("west"), ["sleep", "600"])
    assert "No such" in await rig.run(other, "cat", f"/proc/{sleeper['pid']}/comm")


async def test_a_restarted_node_finds_running_containers(rig: Any, sleeper: Any) -> None:
    listed = await rig.control.call("containers", cluster="west")
    assert sleeper in listed


async def test_containers_that_start_while_others_end_are_not_taken_for_them(rig: Any) -> None:
    """The kernel gives a new namespace the number of one that has just gone, so a number is no proof."""
    pod = await rig.pod("west")

    async def one(_number: int) -> dict[str, Any]:
        return await rig.start("west", pod, ["sh", "-c", "sleep 0.02; exit 7"])

    started = [await asyncio.gather(*map(one, range(12))) for _ in range(8)]
    ids = {container["id"] for batch in started for container in batch}
    codes: dict[str, int] = {}
    async with asyncio.timeout(20):
        while ids - codes.keys():
            event = await rig.events.get()
            codes[event["id"]] = event["exit_code"]
    assert {codes[name] for name in ids} == {7}
