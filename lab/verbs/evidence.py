"""Verbs that hand a lab to somebody else: pack it, build it again."""

from invoke.context import Context

from lab.verbs.verb import show, verb


@verb(help={"output": "file to write, a .tar.gz; default: LAB-TIME.tar.gz here"})
def bundle(c: Context, lab: str = "", output: str = "", json: bool = False) -> None:
    """Pack a lab's topology, state, objects, logs, proxies and last verdict, without secrets."""
    from lab.ops.bundle.bundle import bundle

    show(bundle(lab, output), json)
