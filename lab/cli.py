"""The `lab` command: Invoke's program over the lab's own verbs.

Adds to Invoke what users of this command expect: suggestions for misspelt verbs and flags, exit code 2
for wrong usage, and `lab up FILE` for `lab up --file FILE`. `python3 tasks.py` ends up here too.
"""

import os
import re
import sys
from collections.abc import Sequence

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from lab.verbs.namespace import namespace

# Invoke has no optional positional arguments; these verbs take one, or several.
_OPTIONAL = {
    **dict.fromkeys(("up", "plan", "validate"), "--file"),
    "fault.heal": "--id",
    "bundle": "--lab",
    "tools": "--name",
}
_SEVERAL = frozenset({"fault.heal", "tools"})
_LINKED = frozenset({"fault.partition", "fault.impair"})
"""These take a link for the two sides of it."""

WRONG_USAGE = 2


class LabProgram(Program):
    """`lab VERB …`"""

    def parse_core(self, argv: list[str] | None) -> None:
        try:
            super().parse_core(argv)
        except ParseError as error:
            raise Exit(_usage(error), code=WRONG_USAGE) from error

    def parse_tasks(self) -> None:
        words = self.core.unparsed
        if words[:1] and words[0] in namespace.task_names and asks_for_help(words):
            # Invoke would take --help for the value of a verb's first positional argument.
            self.core[0].args.help.value, words = words[0], []
        self.core.unparsed = named(words)
        try:
            super().parse_tasks()
        except ParseError as error:
            raise Exit(_usage(error), code=WRONG_USAGE) from error

    def print_version(self) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"lab {version('multicluster-lab')}\n")


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether a verb's own words, not those it passes on after `--`, ask for help."""
    own = words[: words.index("--")] if "--" in words else words
    return bool({"-h", "--help"} & set(own))


def named(words: Sequence[str]) -> list[str]:
    """`up FILE` as `up --file FILE`; other words stay as they are."""
    result: list[str] = []
    verb, value_next, given = "", False, False
    for word in words:
        if value_next or (word.startswith("-") and word != "-"):
            value_next = not value_next and _takes_value(verb, word)
        elif word in namespace.task_names:
            verb, given = word, False
        elif verb in _LINKED and "->" in word:
            result += sides(word)
            continue
        elif verb in _OPTIONAL and (verb in _SEVERAL or not given):
            result.append(_OPTIONAL[verb])
            given = True
        result.append(word)
    return result


def sides(link: str) -> list[str]:
    """`west->east` as the words that say the same: both sides, and whether one direction only is meant."""
    one, _, other = link.partition("->")
    both = one.endswith("<")
    return [one.rstrip("<").strip(), other.strip(), *([] if both else ["--one-way"])]


def _takes_value(verb: str, flag: str) -> bool:
    arguments = namespace[verb].get_arguments() if verb else []
    return any(
        argument.takes_value
        for argument in arguments
        for name in argument.names
        if flag in (f"-{name}", f"--{name.strip('_').replace('_', '-')}")
    )


def _usage(error: ParseError) -> str:
    """A parse error in the lab's words, with what the user may have meant."""
    from lab.topology.problem import did_you_mean

    unknown = re.fullmatch(r"No idea what '(.*)' is!", str(error))
    if unknown is None:
        return f"lab: {error}"
    word = unknown[1]
    in_verb = error.context is not None and error.context.name
    if word.startswith("-"):
        flags = list(error.context.flags) if error.context is not None else []
        where = f"lab {in_verb} --help" if in_verb else "lab --help"
        return f'lab: no flag "{word}"; {did_you_mean(word, flags) or f"see {where}"}'
    hint = did_you_mean(word, namespace.task_names) or "lab --list shows all"
    return f'lab: no verb "{word}"; {hint}'


def main() -> None:
    """Entry point of the console script."""
    try:
        LabProgram(name="lab", binary="lab", binary_names=["lab"], namespace=namespace).run()
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python must not try to flush to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
