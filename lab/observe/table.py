"""Renders a LabState as rich tables for `status` and the end of `up`. Pure: state in, renderables out.

Colour carries nothing that the words do not say, so output without colour loses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.observe.golden import Stat, Workload
from lab.observe.state import Check, Cluster, Component, Fault, LabState, Link, Problem, Service

STYLES = {
    "ready": "green",
    "none": "dim",
    "up": "green",
    "active": "yellow",
    "degraded": "yellow",
    "starting": "yellow",
    "paused": "yellow",
    "applying": "yellow",
    "overdue": "yellow",
    "healing": "yellow",
    "warning": "yellow",
    "unknown": "dim",
}
BAD = "bold red"
OLD_CHECKS = 60.0
"""Checks that began so many seconds ago are late: new ones are begun every half minute."""


def render(state: LabState) -> RenderableType:
    """The whole status page."""
    head = Text.assemble(
        ("lab ", "dim"), (state.lab, "bold"), ("  engine ", "dim"), state.engine, "  ", word(state.state)
    )
    parts: list[RenderableType] = [head, clusters(state.clusters)]
    if state.links:
        parts.append(links(state.links))
    if state.services:
        parts.append(services(state.services))
    if state.faults:
        parts.append(faults(state.faults))
    if state.checks:
        parts.append(checks(state.checks, state.checks_age))
    parts.append(problems(state.problems))
    return Group(*parts)


def word(state: str) -> Text:
    return Text(state, style=STYLES.get(state, BAD))


def _table(title: str, *columns: str, right: Iterable[str] = ()) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(
            column, justify="right" if column in set(right) else "left", header_style="dim", overflow="fold"
        )
    return table


def clusters(rows: Iterable[Cluster]) -> Table:
    right = ("NODES", "PODS", "RESTARTS")
    table = _table(
        "\nCLUSTERS",
        "NAME",
        "STATE",
        "API",
        "CONTROL PLANE",
        "NODES",
        "PODS",
        "RESTARTS",
        "NETWORK",
        right=right,
    )
    for cluster in rows:
        core = [c for c in cluster.control_plane.components if c.namespace == "linkerd"]
        table.add_row(
            cluster.name,
            word(cluster.state),
            cluster.api.version or cluster.api.state,
            Text.assemble(word(cluster.control_plane.state), _ready_of(core)),
            f"{sum(node.ready for node in cluster.nodes)}/{len(cluster.nodes)}",
            f"{cluster.pods.ready}/{cluster.pods.total}",
            str(cluster.restarts),
            cluster.network or "-",
        )
    return table


def _ready_of(components: Sequence[Component]) -> str:
    return f" {sum(c.healthy for c in components)}/{len(components)}" if components else ""


def links(rows: Iterable[Link]) -> Table:
    table = _table(
        "\nLINKS",
        "FROM",
        "TO",
        "STATE",
        "MODES",
        "GATEWAY",
        "LATENCY",
        "MIRRORS",
        "REASON",
        right=("LATENCY",),
    )
    for link in rows:
        gateway = {None: "-", True: "alive", False: "dead"}[link.gateway_alive]
        mirrors = " ".join(f"{count} {mode}" for mode, count in sorted(link.mirrors.items()))
        table.add_row(
            link.from_, link.to, word(link.state), "+".join(link.modes) or "-", gateway,
            milliseconds(link.latency_ms), mirrors or "-", link.reason or impairment(link.impairment),
        )  # fmt: skip
    return table


def services(rows: Iterable[Service]) -> Table:
    right = ("SUCCESS", "RATE", "P50", "P99")
    table = _table(
        "\nTRAFFIC",
        "FROM",
        "TO",
        "SUCCESS",
        "RATE",
        "P50",
        "P99",
        "ANSWERED BY",
        "IDENTITY SEEN",
        right=right,
    )
    for service in rows:
        table.add_row(
            service.cluster, short_url(service), success(service.success), f"{service.rate:.0f}/s",
            milliseconds(service.p50_ms), milliseconds(service.p99_ms), share_words(service.answered_by),
            ", ".join(map(short_identity, service.identity_seen)) or "-",
        )  # fmt: skip
    return table


def stat(seen: Stat) -> RenderableType:
    """The whole page of `lab stat`."""
    if not seen.workloads and not seen.problems:
        return "no workload here has a proxy of the mesh"
    parts: list[RenderableType] = [workloads(seen)] if seen.workloads else []
    return Group(*parts, *([problems(seen.problems)] if seen.problems else []))


WORKLOAD_COLUMNS = ("CLUSTER", "WORKLOAD", "MESHED", "SUCCESS", "RPS", "P50", "P99", "MTLS", "TCP")


def workloads(seen: Stat) -> Table:
    table = _table(f"WORKLOADS, what their proxies measured in {seen.window:g} s", *WORKLOAD_COLUMNS,
                   right=WORKLOAD_COLUMNS[2:])  # fmt: skip
    for row in seen.workloads:
        table.add_row(*workload(row))
    return table


def workload(row: Workload) -> tuple[Text | str, ...]:
    """The cells of one workload, for `lab stat` and the terminal interface."""
    return (
        row.cluster, workload_name(row), meshed(row), success(row.success),
        "-" if row.rate is None else f"{row.rate:.1f}/s", milliseconds(row.p50_ms), milliseconds(row.p99_ms),
        percent(row.mtls),
        "-" if row.connections is None else str(row.connections),
    )  # fmt: skip


def workload_name(row: Workload) -> str:
    """`shop/front`; what is no Deployment has its kind with it."""
    name = f"{row.namespace}/{row.name}"
    return name if row.kind == "Deployment" else f"{name} ({row.kind})"


def meshed(row: Workload) -> Text:
    """Meshed pods of all, and how many of their proxies are silent."""
    silent = row.meshed - row.answered
    text = Text(f"{row.meshed}/{row.pods}")
    return text.append(f" {silent} silent", BAD) if silent else text


def faults(rows: Iterable[Fault]) -> Table:
    table = _table("\nFAULTS", "ID", "KIND", "TARGET", "STATE")
    for fault in rows:
        table.add_row(fault.id, fault.kind, fault.target, word(fault.state))
    return table


def checks(rows: Iterable[Check], age: float) -> Table:
    """How many went well in each cluster, and each that did not; how old that is, if it is old."""
    found = list(rows)
    title = "\nLINKERD CHECK" + (f", {age:.0f} s ago" if age > OLD_CHECKS else "")
    table = _table(title, "CLUSTER", "RESULT", "CHECK", "MESSAGE")
    for cluster in dict.fromkeys(one.cluster for one in found):
        mine = [one for one in found if one.cluster == cluster]
        good = sum(one.result == "success" for one in mine)
        table.add_row(cluster, Text(f"{good} of {len(mine)} ok", style="green"))
        for one in mine:
            if one.result != "success":
                table.add_row(cluster, word(one.result), one.what, one.message)
    return table


def problems(rows: Iterable[Problem]) -> RenderableType:
    found = list(rows)
    if not found:
        return Text("\nno problems", style="green")
    table = _table("\nPROBLEMS", "WHERE", "WHAT", "REMEDY")
    for problem in found:
        table.add_row(problem.where, problem.what, Text(problem.remedy, style="cyan"))
    return table


def success(share: float | None) -> Text:
    if share is None:
        return Text("-", style="dim")
    style = "green" if share >= 0.999 else "yellow" if share >= 0.99 else BAD
    return Text(percent(share), style=style)


def percent(share: float | None) -> str:
    """A share in words; all but a few is never shown as all."""
    if share is None:
        return "-"
    return f"{share:.0%}".replace("%", " %") if share in (0, 1) else f"{min(share * 100, 99.99):.2f} %"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def share_words(shares: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "-"


def short_identity(name: str) -> str:
    """`front.shop` of `front.shop.serviceaccount.identity.linkerd.cluster.local`."""
    return name.partition(".serviceaccount.")[0]


def short_url(service: Service) -> str:
    return service.url.removeprefix("http://").rstrip("/") or service.traffic


def impairment(values: Mapping[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in values.items())
