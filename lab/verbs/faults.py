"""Verbs that break things on purpose and mend them."""

from typing import TYPE_CHECKING

from invoke.context import Context

from lab.base.errors import UsageError
from lab.verbs.verb import show, verb

if TYPE_CHECKING:
    from lab.faults.model import Tenure

_CLUSTERS = {"cluster": "the cluster, or several with commas: west,east"}
_SIDES = {
    "a": "cluster or clusters (west,asia) on one side; instead of both sides, a link in quotes: 'west->east'",
    "b": "and on the other",
}
_WORKLOAD = {
    "target": "west/shop/front, several as west,east/shop/front,stock, or by label: west/shop/app=front"
}


_PODS = {
    "target": "a workload such as west/shop/front (also several, or by label), or whole clusters: west,east"
}


def _inject(kind: str, target: str, lab: str, for_: str, **options: str | int) -> None:
    from lab.ops.fault import inject

    show(inject(kind, target, lab=lab, options=options, tenure=_tenure(for_)), as_json=False)


def _tenure(word: str) -> "Tenure":
    """What --for says: who makes the fault, and for how long."""
    from lab.ops.fault import cli
    from lab.topology.grammar import parse_duration

    try:
        return cli(parse_duration(word) if word else None)
    except ValueError as error:
        raise UsageError(f'--for: found "{word}"; allowed: {error}') from error


@verb(help=_SIDES | {"one-way": "only packets from the first do not arrive in the second"})
def partition(c: Context, a: str, b: str, one_way: bool = False, for_: str = "", lab: str = "") -> None:
    """Cut the network between clusters."""
    _inject("partition", f"{a}|{b}", lab, for_, one_way=one_way)


@verb(help={"a": "cluster or clusters on one side", "b": "and on the other"})
def join(c: Context, a: str, b: str, lab: str = "") -> None:
    """Heal the partition between clusters."""
    from lab.ops.fault import join

    show(join(f"{a}|{b}", lab=lab), as_json=False)


@verb(
    help=_SIDES
    | {
        "delay": "added each way: 50ms",
        "jitter": "how much the delay varies: 5ms",
        "loss": "share of packets lost: 1%",
        "duplicate": "share of packets that arrive twice: 0.1%",
        "corrupt": "share of packets with a wrong bit, which their checksum tells: 0.1%",
        "rate": "bandwidth each way: 10mbit",
        "one-way": "only packets from the first to the second",
    }
)
def impair(
    c: Context,
    a: str,
    b: str,
    delay: str = "",
    jitter: str = "",
    loss: str = "",
    duplicate: str = "",
    corrupt: str = "",
    rate: str = "",
    one_way: bool = False,
    for_: str = "",
    lab: str = "",
) -> None:
    """Make the network between clusters slow or unreliable; what is not said stays as it is."""
    asked = {"delay": delay, "jitter": jitter, "loss": loss, "duplicate": duplicate, "corrupt": corrupt}
    _inject("impair", f"{a}|{b}", lab, for_, **asked, rate=rate, one_way=one_way)


@verb(help=_CLUSTERS)
def pause(c: Context, cluster: str, for_: str = "", lab: str = "") -> None:
    """Freeze every process of a cluster."""
    _inject("pause", cluster, lab, for_)


@verb(help=_CLUSTERS | {"restart": "start it again at once; nothing is left to heal"})
def node(c: Context, cluster: str, restart: bool = False, for_: str = "", lab: str = "") -> None:
    """Kill the node of a cluster with all its pods at once; its API server stays."""
    _inject("node", cluster, lab, for_, restart=restart)


@verb(
    help=_WORKLOAD
    | {"share": "share of the pods, at least one: 50%", "seed": "another number draws other pods for a share"}
)
def kill(c: Context, target: str, share: str = "", seed: int = 0, lab: str = "") -> None:
    """Kill the pods of a deployment; its controller makes new ones."""
    _inject("kill", target, lab, "", share=share, seed=seed)


@verb(help=_WORKLOAD | {"to": "number of pods"})
def scale(c: Context, target: str, to: int = 0, for_: str = "", lab: str = "") -> None:
    """Scale a deployment, to nothing unless told otherwise."""
    _inject("scale", target, lab, for_, to=to)


@verb(help=_CLUSTERS)
def gateway(c: Context, cluster: str, for_: str = "", lab: str = "") -> None:
    """Stop the gateway of a cluster."""
    _inject("gateway", cluster, lab, for_)


@verb(name="control-plane", help=_CLUSTERS)
def control_plane(c: Context, cluster: str, for_: str = "", lab: str = "") -> None:
    """Stop the mesh control plane of a cluster."""
    _inject("control-plane", cluster, lab, for_)


@verb(help=_CLUSTERS)
def api(c: Context, cluster: str, for_: str = "", lab: str = "") -> None:
    """Stop the Kubernetes API server of a cluster."""
    _inject("api", cluster, lab, for_)


@verb(
    help=_WORKLOAD
    | {
        "status": "HTTP status of a failed request: 503",
        "grpc-status": "instead, the status of a failed gRPC call as a number: 14",
        "delay": "hold requests up: 200ms",
        "share": "share of requests that fail, and share that is held up: 30% (all, unless said)",
    }
)
def http(
    c: Context,
    target: str,
    status: int = 0,
    grpc_status: int = 0,
    delay: str = "",
    share: str = "",
    for_: str = "",
    lab: str = "",
) -> None:
    """Fail or hold up HTTP requests to a workload, from wherever they come."""
    _inject("http", target, lab, for_, status=status, grpc_status=grpc_status, delay=delay, share=share)


@verb(
    help=_CLUSTERS
    | {
        "share": "share of queries: 30% (all, unless said)",
        "servfail": "answer SERVFAIL instead of nothing",
    }
)
def dns(
    c: Context, cluster: str, share: str = "", servfail: bool = False, for_: str = "", lab: str = ""
) -> None:
    """Fail the DNS queries of a cluster's pods."""
    _inject("dns", cluster, lab, for_, share=share, servfail=servfail)


@verb(
    help=_PODS
    | {"problem": "what is wrong: expired (unless said), not-yet-valid, foreign-root or wrong-name"}
)
def certificate(c: Context, target: str, problem: str = "", for_: str = "", lab: str = "") -> None:
    """Give the proxies of pods certificates that others refuse."""
    _inject("certificate", target, lab, for_, problem=problem)


@verb(help=_PODS | {"skew": "how far it is ahead: 25h, or behind: --skew=-25h"})
def clock(c: Context, target: str, skew: str = "", for_: str = "", lab: str = "") -> None:
    """Sign the certificates of pods by a clock that is wrong."""
    _inject("clock", target, lab, for_, skew=skew)


@verb(name="list")
def list_(c: Context, lab: str = "", json: bool = False) -> None:
    """Faults on record, and whether they are really in force."""
    from lab.ops.fault_list import faults

    show(faults(lab), json)


@verb(
    help={"id": "id of a fault (fault.list; may be repeated)", "all": "every fault, also one on no record"},
    iterable=["id"],
)
def heal(
    c: Context,
    id: list[str] = [],  # noqa: B006
    all: bool = False,
    lab: str = "",
) -> None:
    """Undo faults and prove that they are gone."""
    from lab.ops.fault import heal

    if bool(id) == all:
        raise UsageError("say which faults to heal", remedy="lab fault.heal --all, or --id from fault.list")
    show(heal(tuple(id), lab=lab), as_json=False)
