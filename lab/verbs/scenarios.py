"""The verbs that run a scenario and give its verdict."""

from invoke.context import Context

from lab.verbs.life import FILE, engine_name
from lab.verbs.verb import show, verb


@verb(
    help=FILE
    | {
        "file": "topology file with a scenario, or the name of a shipped one: scenarios/failover",
        "keep": "leave the lab up afterwards",
        "repeat": "how many times, on the same lab",
        "seed": "decides what is left to chance, instead of the scenario's own",
        "junit": "also write the verdict as JUnit XML to this file",
        "html": "also write it as one page with charts to this file",
        "bundle": "also pack the lab with the verdict into this file, for `lab repro`",
    }
)
def run(
    c: Context,
    file: str,
    lab: str = "",
    engine: str = "",
    keep: bool = False,
    repeat: int = 1,
    junit: str = "",
    html: str = "",
    bundle: str = "",
    seed: int = -1,
    variant: str = "",
    json: bool = False,
) -> None:
    """Run the scenario of a topology: break things in time, judge what callers saw; 1 if it fails."""
    from lab.ops.run import Rehearsal, run

    asked = Rehearsal(
        lab,
        engine_name(engine),
        keep=keep,
        repeat=repeat,
        junit=junit,
        html=html,
        bundle=bundle,
        seed=None if seed < 0 else seed,
        variant=variant,
    )
    show(run(file, asked), json)


@verb(
    help={
        "file": "topology file with a scenario, or the name of a shipped one",
        "mode": "gateway, flat or both: how apps export (default: both, if the file has no variants)",
        "version": "versions of the mesh, such as 2.14,latest (default: the file's)",
        "fault": "faults to put in the place of the file's, such as scale,partition,delay=50ms,pause@east",
        "variant": "variants of the file (default: all, unless --mode or --version choose)",
        "step": "name of the step whose fault is replaced, where the scenario has several",
        "engine": FILE["engine"],
        "keep": "leave the labs up afterwards",
        "repeat": "how many times each cell is run",
        "seed": "decides what is left to chance, instead of the scenario's own",
        "html": "also write the grid as one page, with the charts of every cell, to this file",
    }
)
def matrix(
    c: Context,
    file: str,
    mode: str = "",
    version: str = "",
    fault: str = "",
    variant: str = "",
    step: str = "",
    engine: str = "",
    keep: bool = False,
    repeat: int = 1,
    seed: int = -1,
    html: str = "",
    json: bool = False,
) -> None:
    """Run a scenario in every mode, with every fault and version; 1 unless each verdict is as expected."""
    from lab.ops.matrix import Survey, matrix
    from lab.scenarios.matrix import Axes

    axes = Axes.parse(variant, mode, version, fault, step)
    asked = Survey(axes, engine_name(engine), keep, repeat, None if seed < 0 else seed, html)
    show(matrix(file, asked), json)


@verb(
    help=FILE
    | {
        "file": "topology file with a scenario whose expectations about the whole run are to fail",
        "seed": "decides which sequences are tried",
        "tries": "how many sequences, until one fails",
        "for_": "begin no further try after this time, also while the one found is shortened",
        "max-faults": "how many faults a sequence has at most",
        "kind": "only this kind of fault, such as kill (may be repeated)",
        "cluster": "only faults that hit this cluster (may be repeated)",
        "output": "topology file to write; default: LAB-found.yaml here",
        "keep": "leave the lab up afterwards",
    },
    iterable=["kind", "cluster"],
)
def search(
    c: Context,
    file: str,
    output: str = "",
    seed: int = 0,
    tries: int = 20,
    for_: str = "10m",
    max_faults: int = 3,
    kind: list[str] = [],  # noqa: B006 - how Invoke declares a repeatable flag
    cluster: list[str] = [],  # noqa: B006
    lab: str = "",
    engine: str = "",
    variant: str = "",
    keep: bool = False,
    json: bool = False,
) -> None:
    """Look for a sequence of faults under which a scenario fails, and shorten it; 1 if there is one."""
    from lab.ops.search.hunt import budget
    from lab.ops.search.search import Asked, search

    asked = Asked(
        budget(tries, for_, max_faults, seed),
        lab,
        engine_name(engine),
        variant,
        tuple(kind),
        tuple(cluster),
        output,
        keep,
    )
    show(search(file, asked), json)
