"""Verbs that look into a running lab: logs, commands in pods, the terminal interface."""

import sys

from invoke.context import Context
from invoke.exceptions import Exit

from lab.base.errors import UsageError
from lab.verbs.verb import rest, show, verb

_POD = {
    "pod": "CLUSTER/NAMESPACE/POD, or a workload's name for one of its pods: west/shop/front",
    "container": "container of the pod; default: the first that is not the proxy",
}


@verb(help=_POD | {"follow": "keep printing", "tail": "only the last lines; -1 is all"})
def logs(
    c: Context, pod: str, lab: str = "", container: str = "", follow: bool = False, tail: int = -1
) -> None:
    """Print the log of a container."""
    from lab.ops.logs import logs

    logs(pod, lab=lab, container=container, follow=follow, tail=tail)


@verb(name="exec", help=_POD)
def exec_(c: Context, pod: str, lab: str = "", container: str = "") -> None:
    """Run a command in a container: exec west/shop/front -- client http://front-east."""
    from lab.ops.execute import execute

    command = rest()
    if not command:
        raise UsageError("no command to run", remedy=f"lab exec {pod} -- COMMAND")
    raise Exit(code=execute(pod, command, lab=lab, container=container))


@verb()
def tui(c: Context, lab: str = "") -> None:
    """Watch and break a running lab in the terminal."""
    from lab.tui.open import open_tui

    open_tui(lab)


@verb(
    help={
        "target": "CLUSTER/NAMESPACE/POD or workload, CLUSTER for its node, or 'WEST->EAST' for a link",
        "side": "of a pod: wire (eth0, encrypted; the default) or app (between app and proxy, in clear)",
        "write": "file to write; default: standard output, for a pipe into tcpdump -r - or wireshark -k -i -",
        "port": "only TCP and UDP from or to this port",
        "address": "only from or to this address",
        "for_": "end after this time: 10s",
        "count": "end after this many packets",
        "megabytes": "end after this much; 0 is no limit",
    }
)
def capture(
    c: Context,
    target: str,
    lab: str = "",
    side: str = "",
    write: str = "-",
    port: int = 0,
    address: str = "",
    for_: str = "",
    count: int = 0,
    megabytes: int = 100,
    json: bool = False,
) -> None:
    """Write the packets of a pod, a node or a link as pcap, until Ctrl-C."""
    from lab.ops.capture.capture import Asked, capture, filtered, limits

    asked = Asked(lab, side, write, filtered(port, address), limits(for_, count, megabytes))
    answer = capture(target, asked)
    if write == "-":
        sys.stderr.write(f"{answer.view}\n")
    else:
        show(answer, json)
