"""Verbs for people who work on the lab itself."""

from invoke.context import Context

from lab.verbs.verb import rest, show, verb


@verb(help={"only": "only rows whose name contains this", "out": "also write the figures to this file"})
def bench(c: Context, only: str = "", out: str = "", json: bool = False) -> None:
    """Measure the lab against its budgets."""
    from lab.ops.bench.run import bench

    show(bench(only=only, out=out), json)


@verb()
def test(c: Context) -> None:
    """Run the tests; words after -- go to pytest."""
    from lab.ops.check import test

    test(rest())


@verb(help={"static": "format, lint, types and layers only"})
def check(c: Context, static: bool = False, json: bool = False) -> None:
    """Format, lint, types, layers and the fast tests: run all, report all."""
    from lab.ops.check import check

    show(check(static=static), json)
