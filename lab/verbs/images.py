"""Verbs that move the images of labs on real containers, for rooms without a network."""

from invoke.context import Context

from lab.verbs.verb import show, verb


@verb(help={"file": "file to write, a .tar"})
def save(c: Context, file: str, lab: str = "", json: bool = False) -> None:
    """Write all images that a lab of engine kind runs to a file; pulls those that Docker has not got."""
    from lab.ops.images import save

    show(save(file, lab), json)


@verb(help={"file": "file that images.save wrote"})
def load(c: Context, file: str, json: bool = False) -> None:
    """Give Docker the images of such a file; `lab up --offline` then needs no network."""
    from lab.ops.images import load

    show(load(file), json)
