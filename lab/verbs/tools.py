"""The verb that fetches programs of others for those who lack them."""

import sys

from invoke.context import Context

from lab.verbs.verb import show, verb


@verb(
    help={
        "name": "kind, kubectl, linkerd, linkerd-2.14 or helm (may be repeated); else what is needed",
        "yes": "do not ask",
    },
    iterable=["name"],
)
def tools(
    c: Context,
    name: list[str] = [],  # noqa: B006 - how Invoke declares a repeatable flag
    yes: bool = False,
    json: bool = False,
) -> None:
    """Say where programs of others are, and fetch missing ones into the lab's cache, with consent."""
    from lab.ops.tools.run import tools

    show(tools(tuple(name), (lambda question: True) if yes else _agreed), json)


def _agreed(question: str) -> bool:
    """The answer of the person at the terminal; without one there is none."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question}go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
