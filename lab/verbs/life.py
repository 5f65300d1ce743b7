"""Verbs that bring labs up and down and show what is there."""

from functools import partial
from typing import TYPE_CHECKING, cast

from invoke.context import Context

from lab.verbs.verb import draw, one_of, show, verb, write

if TYPE_CHECKING:
    from lab.topology.model import EngineName

FILE = {
    "file": "topology file, or the name of a shipped one, or - for standard input",
    "lab": "name for this lab instead of the file's",
    "engine": "embedded, kind or existing, instead of the file's",
    "variant": "one of the file's variants instead of its first",
}


OFFLINE = {"offline": "engine kind: pull and build nothing, use only images that are here"}


def engine_name(word: str) -> "EngineName | None":
    one_of("--engine", word, ("embedded", "kind", "existing"))
    return cast("EngineName | None", word or None)


YES = {"yes": "engine existing: also into clusters that look like production"}


@verb(help=FILE | OFFLINE | YES | {"dry-run": "print the steps, change nothing"}, iterable=["cluster"])
def up(
    c: Context,
    file: str = "two-clusters",
    lab: str = "",
    engine: str = "",
    cluster: list[str] = [],  # noqa: B006 - how Invoke declares a repeatable flag
    variant: str = "",
    offline: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Bring a lab up, or bring it in line with its topology file."""
    from lab.ops.plan import plan
    from lab.ops.up import up

    act = plan if dry_run or c.config.run.dry else partial(up, consent=yes)
    name = engine_name(engine)
    chosen = act(file, lab=lab, engine=name, clusters=tuple(cluster), variant=variant, offline=offline)
    show(chosen, json)


@verb(help=FILE | OFFLINE, iterable=["cluster"])
def plan(
    c: Context,
    file: str = "two-clusters",
    lab: str = "",
    engine: str = "",
    cluster: list[str] = [],  # noqa: B006
    variant: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Print the steps that up would take now."""
    from lab.ops.plan import plan

    name = engine_name(engine)
    steps = plan(file, lab=lab, engine=name, clusters=tuple(cluster), variant=variant, offline=offline)
    show(steps, json)


@verb(help={name: FILE[name] for name in ("file", "engine", "variant")})
def validate(
    c: Context, file: str = "two-clusters", engine: str = "", variant: str = "", json: bool = False
) -> None:
    """Say whether a topology file is right; asks no cluster."""
    from lab.ops.validate import validate

    show(validate(file, engine=engine_name(engine), variant=variant), json)


@verb(help={"all": "every lab of this user", "purge": "also forget its objects, certificates and logs"})
def down(c: Context, lab: str = "", all: bool = False, purge: bool = False, json: bool = False) -> None:
    """Take a lab down and leave nothing running."""
    from lab.ops.down import down

    show(down(lab, every=all, purge=purge), json)


@verb(help={"watch": "keep the table up to date until Ctrl-C"}, iterable=["cluster"])
def status(
    c: Context,
    lab: str = "",
    cluster: list[str] = [],  # noqa: B006
    watch: bool = False,
    json: bool = False,
) -> None:
    """Clusters, links, services and faults: what works and who answers."""
    from lab.ops.feed import watch as follow
    from lab.ops.status import status

    if watch:
        follow(lab, clusters=tuple(cluster))
    else:
        show(status(lab, clusters=tuple(cluster)), json)


@verb(
    help={
        "namespace": "only this namespace (may be repeated)",
        "watch": "keep the table up to date until Ctrl-C",
        "window": "how long to measure, such as 10s; Envoy adds latencies up every 5 s",
    },
    iterable=["cluster", "namespace"],
)
def stat(
    c: Context,
    lab: str = "",
    cluster: list[str] = [],  # noqa: B006
    namespace: list[str] = [],  # noqa: B006
    watch: bool = False,
    window: str = "6s",
    json: bool = False,
) -> None:
    """What the mesh's proxies measured of each workload: success, rate, latency, mutual TLS."""
    from lab.ops.stat import Asked, seconds, stat
    from lab.ops.stat import watch as follow

    asked = Asked(tuple(cluster), tuple(namespace), seconds(window))
    if watch:
        follow(lab, asked)
    else:
        show(stat(lab, asked), json)


@verb(name="list")
def list_(c: Context, json: bool = False) -> None:
    """Labs of this user, running or not."""
    from lab.ops.labs import labs

    show(labs(), json)


@verb(help={"path": "print where the file is instead of its content"})
def kubeconfig(c: Context, lab: str = "", path: bool = False) -> None:
    """The kubeconfig of a lab, one context per cluster: <lab>-<cluster>."""
    from lab.ops.kubeconfig import kubeconfig

    file = kubeconfig(lab)
    write(f"{file}\n" if path else file.read_text())


@verb(help={"engine": "only this engine"})
def doctor(c: Context, engine: str = "", json: bool = False) -> None:
    """Say which engines this machine can run, and what the others miss."""
    from lab.ops.doctor import doctor

    show(doctor(engine_name(engine)), json)


@verb()
def schema(c: Context) -> None:
    """The JSON Schema of topology files."""
    from lab.topology.schema import text

    draw(text())
