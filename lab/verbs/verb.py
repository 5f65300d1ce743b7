"""How a plain function becomes a verb of the command line, and how answers and errors are shown.

Used by the modules of this package only. Imports nothing heavy: `--list` and completion must stay
fast, so every verb imports what it needs when it runs.
"""

import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.tasks import Task

from lab.base.errors import LabError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.ops.answer import Answer

INTERRUPTED = 130
WIDE = 160
"""Columns of a table that goes to a file or a program: rich would take 80 and fold the names in it."""

_ELSEWHERE = "set LAB_HOME to a folder that you may write to"
_SPACE = "free some space or set LAB_HOME to a folder on another disk"
# What the machine may refuse anywhere, and what to do then; any other OSError is a defect and stays loud.
REFUSALS = {
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
}

# Help texts of the flags that several verbs share.
SHARED = {
    "lab": "name of the lab; needed only when there are several",
    "cluster": "only this cluster (may be repeated)",
    "json": "print data for programs",
    "for_": "heal it by itself after this long, such as 30s",
}


class Verb(Task[Any]):
    """A task whose flags leave -h to --help."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        return super().arg_opts(name, default, taken_names | {"h"})


def verb(
    help: Mapping[str, str] | None = None, iterable: Sequence[str] = (), **options: Any
) -> Callable[[Callable[..., None]], Verb]:
    """Make a task of a function. Lab errors become messages and exit codes, never tracebacks."""

    def wrap(body: Callable[..., None]) -> Verb:
        known = body.__code__.co_varnames[: body.__code__.co_argcount]
        texts = {name: text for name, text in SHARED.items() if name in known} | dict(help or {})
        return Verb(_guarded(body), help=texts, iterable=list(iterable), **options)

    return wrap


def _guarded(body: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            body(*args, **kwargs)
        except LabError as error:
            raise Exit(explained(error), code=error.exit_code) from error
        except KeyboardInterrupt:
            raise Exit("interrupted", code=INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has seen enough. Python must not try to flush to it again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            if error.errno not in REFUSALS or not error.filename:
                raise
            refused = LabError(f"{error.filename}: {error.strerror}", remedy=REFUSALS[error.errno])
            raise Exit(explained(refused), code=refused.exit_code) from error

    return run


def explained(error: LabError) -> str:
    """An error as it is printed: what happened, and what to do about it."""
    return f"lab: {error}" + (f"\n  fix: {error.remedy}" if error.remedy else "")


def show(answer: "Answer", as_json: bool) -> None:
    """Print an answer to standard output; one that is not ok ends the command with code 1."""
    if as_json:
        write(json.dumps(answer.data, indent=2, ensure_ascii=False) + "\n")
    else:
        draw(answer.view)
    if not answer.ok:
        raise Exit(code=1)


def draw(view: "RenderableType") -> None:
    """Draw text or a table on standard output, in as much colour as it takes."""
    from rich.console import Console

    if isinstance(view, str):
        write(view if view.endswith("\n") or not view else f"{view}\n")
    else:
        is_terminal = sys.stdout.isatty()
        width = None if is_terminal or "COLUMNS" in os.environ else WIDE
        Console(highlight=False, soft_wrap=not is_terminal, width=width).print(view)


def write(text: str) -> None:
    """Data for standard output."""
    sys.stdout.write(text)
    sys.stdout.flush()


def rest() -> list[str]:
    """The words after `--`, as typed. Invoke's own remainder joins them and loses the quoting."""
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def one_of(flag: str, word: str, known: Sequence[str]) -> None:
    """Refuse a word that is not one of those known."""
    from lab.topology.problem import did_you_mean, listed

    if word and word not in known:
        raise UsageError(f'{flag} "{word}" is unknown', remedy=did_you_mean(word, known) or listed(known))
