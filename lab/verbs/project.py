"""Verbs for people who work on the lab itself."""

from invoke.context import Context

from lab.verbs.verb import one_of, rest, show, verb


@verb(help={"only": "only rows whose name contains this", "out": "also write the figures to this file"})
def bench(c: Context, only: str = "", out: str = "", json: bool = False) -> None:
    """Measure the lab against its budgets."""
    from lab.ops.bench.run import bench

    show(bench(only=only, out=out), json)


@verb(
    help={
        "slow": "the tests that take minutes instead of the everyday ones",
        "engine": "instead: kind, for the tests of whole labs on that engine, where it can run",
    }
)
def test(c: Context, slow: bool = False, engine: str = "") -> None:
    """Run the everyday tests; words after -- go to pytest instead."""
    from lab.ops.check import test

    one_of("--engine", engine, ("embedded", "kind"))
    test(rest(), slow=slow, engine=engine)


@verb(help={"static": "format, lint, types and layers only"})
def check(c: Context, static: bool = False, json: bool = False) -> None:
    """Format, lint, types, layers and the fast tests: run all, report all."""
    from lab.ops.check import check

    show(check(static=static), json)


@verb(
    help={
        "lab": "use this running lab and leave it as it is, instead of one brought up for the run",
        "test": "only this test of the suite",
        "keep": "leave the lab up afterwards",
        "report": "also write the suite's own report (YAML) to this file",
    }
)
def conformance(
    c: Context, lab: str = "", test: str = "", keep: bool = False, report: str = "", json: bool = False
) -> None:
    """Run the Gateway API's conformance suite for meshes against a lab; needs Go."""
    from lab.ops.conformance.run import conformance

    show(conformance(lab=lab, test=test, keep=keep, report=report), json)
