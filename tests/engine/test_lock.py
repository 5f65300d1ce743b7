"""One command at a time works on a lab."""

import os
from pathlib import Path

import pytest

from lab.base.errors import LockHeld
from lab.base.state import LabDir
from lab.engines.lock import held


def test_the_second_command_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    lab = LabDir(tmp_path)
    with held(lab, "up"), pytest.raises(LockHeld, match=rf"`up` \(pid {os.getpid()}\)"), held(lab, "down"):
        pass


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    lab = LabDir(tmp_path)
    with held(lab, "up"):
        pass
    with held(lab, "down"):
        pass
