"""Verbs that change links while the lab runs."""

from invoke.context import Context

from lab.verbs.verb import show, verb

_ENDS = {"source": "cluster that calls", "target": "cluster whose services appear in the source"}


@verb(
    help=_ENDS | {"mode": "gateway, flat or federated (may be repeated)", "both": "link the other way too"},
    iterable=["mode"],
)
def add(
    c: Context,
    source: str,
    target: str,
    lab: str = "",
    mode: list[str] = [],  # noqa: B006
    both: bool = False,
) -> None:
    """Link two clusters, or change the modes of their link."""
    from lab.ops.link import add

    show(add((source, target), lab=lab, modes=tuple(mode), both=both), as_json=False)


@verb(help=_ENDS | {"both": "unlink the other way too"})
def remove(c: Context, source: str, target: str, lab: str = "", both: bool = False) -> None:
    """Unlink two clusters; the source's mirrors go away."""
    from lab.ops.link import remove

    show(remove((source, target), lab=lab, both=both), as_json=False)


@verb(name="list")
def list_(c: Context, lab: str = "", json: bool = False) -> None:
    """Links with their modes and health."""
    from lab.ops.link import links

    show(links(lab), json)
