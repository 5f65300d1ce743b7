"""Every error the lab raises on purpose, with the exit code it ends a command with.

    LabError                     1
    ├─ UsageError                2   the command line is wrong
    │  └─ TopologyError          2   the topology file is wrong; carries every problem found
    ├─ EngineUnavailable         4   this machine cannot run the engine; says what is missing
    ├─ CheckFailed               1   a check, probe or expectation did not hold
    ├─ LockHeld                  1   another command works on the same lab
    ├─ NoSuchLab                 2   the named lab does not exist
    ├─ CommandError              1   a program ended with a non-zero code
    ├─ TimedOut                  1   a condition did not come true in time
    └─ (lab.kube.errors.ApiError)    a Kubernetes API server refused or could not be reached

A message says what failed, on which named thing and what was seen; `remedy` says what to do. The
command line prints both and no traceback.
"""

from collections.abc import Sequence


class LabError(Exception):
    """Base of all errors meant for a user's eyes."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageError(LabError):
    """The command line asks for something that does not exist or does not fit."""

    exit_code = 2


class TopologyError(UsageError):
    """The topology file has problems; `problems` holds one printable line each."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {line}" for line in problems)]))
        self.problems = tuple(problems)


class NoSuchLab(UsageError):
    """No lab of that name has been brought up here."""


class EngineUnavailable(LabError):
    """The engine cannot run on this machine as it is."""

    exit_code = 4


class CheckFailed(LabError):
    """A check or an expectation did not hold."""


class LockHeld(LabError):
    """Another command holds the lab's lock."""


class CommandError(LabError):
    """A program that the lab started ended badly; shows the command, its code and its last words."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        tail = "\n".join(output.strip().splitlines()[-10:])
        super().__init__(f"`{' '.join(argv)}` ended with code {code}:\n{tail or '(no output)'}")
        self.argv, self.code, self.output = tuple(argv), code, output


class TimedOut(LabError):
    """A condition did not come true in time; quotes the last thing that was seen."""
