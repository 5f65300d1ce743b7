"""Waiting and running programs keep their promises about time and messages."""

import sys
from pathlib import Path

import pytest

from lab.base.errors import CommandError, LabError, TimedOut
from lab.base.process import follow, run
from lab.base.state import LabDir, make_private, short_path, write_private
from lab.base.wait import Backoff, until


async def test_until_returns_what_the_probe_returned() -> None:
    answers = iter([None, "", "here"])

    async def probe() -> str | None:
        return next(answers)

    assert await until(probe, timeout=5, what="it", every=0.001) == "here"


async def test_until_names_what_and_the_last_error_when_time_is_up() -> None:
    async def probe() -> bool:
        raise LabError("the door is shut")

    with pytest.raises(TimedOut, match=r"the lamp: not within 0.02 s; last seen: the door is shut"):
        await until(probe, timeout=0.02, what="the lamp", every=0.001)


async def test_until_lets_a_fault_of_ours_through_at_once() -> None:
    async def probe() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await until(probe, timeout=5, what="it")


def test_backoff_doubles_up_to_its_limit_and_starts_again_after_a_reset() -> None:
    backoff = Backoff(1, 3)
    assert [backoff.next() for _ in range(3)] == [1, 2, 3]
    backoff.reset()
    assert backoff.next() == 1


async def test_a_failing_program_is_reported_with_its_command_code_and_last_words() -> None:
    with pytest.raises(CommandError, match=r"ended with code 3:\nno luck"):
        await run(
            [sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"], timeout=20
        )


async def test_a_program_over_its_time_limit_is_killed_and_named() -> None:
    with pytest.raises(TimedOut, match=r"did not end within 0\.2 s"):
        await run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)


async def test_a_missing_program_is_an_error_that_names_it() -> None:
    with pytest.raises(LabError, match="`no-such-program` is not installed"):
        await run(["no-such-program"], timeout=1)


def test_private_files_are_only_for_their_owner_and_replaced_whole(tmp_path: Path) -> None:
    folder = make_private(tmp_path / "state")
    target = folder / "key"
    write_private(target, "one")
    write_private(target, "two")
    assert target.read_text() == "two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in folder.iterdir()] == ["key"]


def test_an_unwritable_place_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot write"):
        write_private(tmp_path / "missing" / "key", "x")


def test_a_socket_path_of_any_length_has_a_short_name(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    (deep / "file").write_text("found")
    with short_path(deep / "file") as short:
        assert len(short) < 60
        assert Path(short).read_text() == "found"


def test_lab_folders_follow_lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    assert LabDir.of("demo").cluster("west").store == tmp_path / "demo" / "clusters" / "west" / "store.db"
    assert LabDir.of("demo").context("west") == "demo-west"


async def test_a_followed_program_hands_over_each_line_and_its_exit_code() -> None:
    heard: list[str] = []
    assert await follow(["sh", "-c", "echo one; echo two >&2; exit 3"], heard.append, timeout=10) == 3
    assert heard == ["one", "two"]


async def test_a_followed_program_over_its_time_limit_is_killed_with_its_children(tmp_path: Path) -> None:
    started = tmp_path / "child"
    script = f"sleep 600 & echo $! > {started}; wait"
    with pytest.raises(TimedOut, match="did not end within"):
        await follow(["sh", "-c", script], str, timeout=0.5)
    child = int(started.read_text())

    async def is_gone() -> bool:
        return not runs(child)

    await until(is_gone, timeout=5, what="the child is gone")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
