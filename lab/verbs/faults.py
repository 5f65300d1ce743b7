"""Verbs that break things on purpose and mend them."""

from typing import TYPE_CHECKING

from invoke.context import Context

from lab.base.errors import UsageError
from lab.verbs.verb import show, verb

if TYPE_CHECKING:
    from lab.faults.model import Tenure

_CLUSTERS = {"cluster": "the cluster, or several with commas: west,east"}
_WORKLOAD = {"target": "CLUSTER/NAMESPACE/DEPLOYMENT, such as west/shop/front"}


def _inject(kind: str, target: str, lab: str, for_: str = "", **parameters: int) -> None:
    from lab.ops.fault import inject

    show(inject(kind, target, lab=lab, parameters=parameters, tenure=_tenure(for_)), as_json=False)


def _tenure(word: str) -> "Tenure":
    """What --for says: who makes the fault, and for how long."""
    from lab.ops.fault import cli
    from lab.topology.grammar import parse_duration

    try:
        return cli(parse_duration(word) if word else None)
    except ValueError as error:
        raise UsageError(f'--for: found "{word}"; allowed: {error}') from error


@verb(help={"a": "cluster or clusters (west,asia) on one side", "b": "and on the other"})
def partition(c: Context, a: str, b: str, for_: str = "", lab: str = "") -> None:
    """Cut the network between clusters."""
    _inject("partition", f"{a}|{b}", lab, for_)


@verb(help={"a": "cluster or clusters on one side", "b": "and on the other"})
def join(c: Context, a: str, b: str, lab: str = "") -> None:
    """Heal the partition between clusters."""
    from lab.ops.fault import join

    show(join(f"{a}|{b}", lab=lab), as_json=False)


@verb(
    help={
        "a": "cluster or clusters (west,asia) on one side",
        "b": "and on the other",
        "delay": "added each way: 50ms",
        "jitter": "how much the delay varies: 5ms",
        "loss": "share of packets lost: 1%",
        "duplicate": "share of packets that arrive twice: 0.1%",
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
    rate: str = "",
    one_way: bool = False,
    for_: str = "",
    lab: str = "",
) -> None:
    """Make the network between clusters slow or unreliable; what is not said stays as it is."""
    from lab.ops.fault import impair

    asked = {"delay": delay, "jitter": jitter, "loss": loss, "duplicate": duplicate, "rate": rate}
    made = impair(f"{a}|{b}", asked, one_way=one_way, lab=lab, tenure=_tenure(for_))
    show(made, as_json=False)


@verb(help=_CLUSTERS)
def pause(c: Context, cluster: str, for_: str = "", lab: str = "") -> None:
    """Freeze every process of a cluster."""
    _inject("pause", cluster, lab, for_)


@verb(help=_WORKLOAD)
def kill(c: Context, target: str, lab: str = "") -> None:
    """Kill the pods of a deployment; its controller makes new ones."""
    _inject("kill", target, lab)


@verb(help=_WORKLOAD | {"to": "number of pods"})
def scale(c: Context, target: str, to: int = 0, for_: str = "", lab: str = "") -> None:
    """Scale a deployment, to nothing unless told otherwise."""
    _inject("scale", target, lab, for_, replicas=to)


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
