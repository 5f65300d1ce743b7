"""Verbs that hand a lab to somebody else: pack it, build it again."""

from invoke.context import Context

from lab.verbs.life import engine_name
from lab.verbs.verb import show, verb


@verb(help={"output": "file to write, a .tar.gz; default: LAB-TIME.tar.gz here"})
def bundle(c: Context, lab: str = "", output: str = "", json: bool = False) -> None:
    """Pack a lab's topology, state, objects, logs, proxies and last verdict, without secrets."""
    from lab.ops.bundle.bundle import bundle

    show(bundle(lab, output), json)


@verb(
    help={
        "file": "what `lab bundle` wrote",
        "lab": "name for the lab that is built; default: the recorded one's with -repro",
        "engine": "embedded, kind or existing, instead of the recorded one",
        "keep": "leave the lab up afterwards",
        "dry-run": "only say what would be built, what differs here, and what of the bundle's own would run",
    }
)
def repro(
    c: Context,
    file: str,
    lab: str = "",
    engine: str = "",
    keep: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Build the lab of a bundle again, replay it and compare the verdict; 1 if it differs."""
    from lab.ops.repro.repro import Asked, repro

    dry = dry_run or bool(c.config.run.dry)
    show(repro(file, Asked(lab, engine_name(engine), keep=keep, dry_run=dry)), json)
