"""The verb that runs a scenario and gives its verdict."""

from invoke.context import Context

from lab.verbs.life import FILE, engine_name
from lab.verbs.verb import show, verb


@verb(
    help=FILE
    | {
        "file": "topology file with a scenario, or the name of a shipped one: scenarios/failover-flat",
        "keep": "leave the lab up afterwards",
        "repeat": "how many times, on the same lab",
        "seed": "decides what is left to chance, instead of the scenario's own",
        "junit": "also write the verdict as JUnit XML to this file",
        "html": "also write it as one page with charts to this file",
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
        seed=None if seed < 0 else seed,
        variant=variant,
    )
    show(run(file, asked), json)
