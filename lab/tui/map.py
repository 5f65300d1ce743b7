"""Draws the map: a box per cluster, and under them a line per link from box to box. Pure.

An arrow points at the cluster whose services are mirrored, which is where traffic can go. When the boxes
do not fit side by side they wrap, and the links become a list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from lab.observe.state import Cluster, LabState, Link
from lab.observe.table import milliseconds
from lab.tui.canvas import Canvas, fit

BOX_WIDTH, BOX_MIN, BOX_HEIGHT, GAP = 36, 24, 5, 3
COLOURS = {"ready": "green", "up": "green", "degraded": "yellow", "starting": "yellow", "paused": "magenta"}
FAINT = ("unknown", "missing")
STROKES = {"up": "━", "degraded": "━", "down": "╍", "partitioned": "╍", "missing": "┄", "unknown": "┄"}


def colour(state: str) -> str:
    return COLOURS.get(state, "bright_black" if state in FAINT else "red")


@dataclass(frozen=True)
class Line:
    """One line of the map: a link, or two that are each other's way back and in the same condition."""

    left: str
    right: str
    links: tuple[Link, ...]

    @property
    def state(self) -> str:
        return self.links[0].state

    def points_at(self, cluster: str) -> bool:
        return any(link.to == cluster for link in self.links)


def lines(state: LabState) -> list[Line]:
    """The links as lines between clusters, in the order of the clusters."""
    order = {cluster.name: number for number, cluster in enumerate(state.clusters)}
    joined: dict[tuple[str, str, str, tuple[str, ...]], list[Link]] = {}
    for link in state.links:
        if link.from_ in order and link.to in order:
            left, right = sorted((link.from_, link.to), key=order.__getitem__)
            joined.setdefault((left, right, link.state, link.modes), []).append(link)
    return [Line(left, right, tuple(links)) for (left, right, _, _), links in joined.items()]


def label(line: Line) -> str:
    """What a line says: modes, latency, what is wrong, what is done to it."""
    first = line.links[0]
    latencies = [milliseconds(link.latency_ms) for link in line.links if link.latency_ms is not None]
    words = ["+".join(first.modes)]
    if line.state != "up":
        words.append(line.state)
    words += [f"↯{fault}" for fault in dict.fromkeys(f for link in line.links for f in link.faults)]
    words += [" / ".join(dict.fromkeys(latencies))] if latencies else []
    words += [f"{name} {value}" for name, value in first.impairment.items()]
    if line.state not in ("up", "partitioned") and first.reason:
        words.append(first.reason)
    return "  ".join(word for word in words if word)


def draw(state: LabState, width: int) -> Text:
    """The whole map, `width` columns wide."""
    count = len(state.clusters)
    if not count:
        return Text("no clusters", style="dim")
    if count * (BOX_MIN + GAP) - GAP <= width:
        return _side_by_side(state, width)
    return _wrapped(state, width)


def _side_by_side(state: LabState, width: int) -> Text:
    count, found = len(state.clusters), lines(state)
    box = min(BOX_WIDTH, (width - GAP * (count - 1)) // count)
    step = (width - box) / (count - 1) if count > 1 else 0
    canvas = Canvas(width, BOX_HEIGHT + len(found))
    centres = {}
    for number, cluster in enumerate(state.clusters):
        left = round(number * step)
        centres[cluster.name] = left + box // 2
        _box(canvas, left, 0, box, cluster)
    _stems(canvas, found, centres)
    for row, line in enumerate(found, start=BOX_HEIGHT):
        _line(canvas, row, line, centres)
    return canvas.to_text()


def _stems(canvas: Canvas, found: Sequence[Line], centres: Mapping[str, int]) -> None:
    for cluster, x in centres.items():
        rows = [row for row, line in enumerate(found) if cluster in (line.left, line.right)]
        if rows:
            canvas.put(x, BOX_HEIGHT - 1, "┬", "bright_black")
            for row in range(rows[-1] + 1):
                canvas.put(x, BOX_HEIGHT + row, "│", "bright_black")


def _line(canvas: Canvas, row: int, line: Line, centres: Mapping[str, int]) -> None:
    start, end, style = centres[line.left], centres[line.right], colour(line.state)
    canvas.put(start, row, "├", style)
    canvas.put(end, row, "┤", style)
    for x in range(start + 1, end):
        canvas.put(x, row, "┿" if canvas.at(x, row) == "│" else STROKES[line.state], style)
    if line.points_at(line.left):
        canvas.put(start + 1, row, "◀", style)
    if line.points_at(line.right):
        canvas.put(end - 1, row, "▶", style)
    text = f" {fit(label(line), end - start - 7)} "
    canvas.put((start + end + 1 - len(text)) // 2, row, text, style)


def _wrapped(state: LabState, width: int) -> Text:
    per_row = max(1, (width + GAP) // (BOX_MIN + GAP))
    box = min(BOX_WIDTH, (width - GAP * (per_row - 1)) // per_row)
    found = lines(state)
    depth = -(-len(state.clusters) // per_row) * BOX_HEIGHT
    canvas = Canvas(width, depth + len(found))
    for number, cluster in enumerate(state.clusters):
        row, column = divmod(number, per_row)
        _box(canvas, column * (box + GAP), row * BOX_HEIGHT, box, cluster)
    for row, line in enumerate(found, start=depth):
        arrow = f"{'◀' if line.points_at(line.left) else '━'}━{'▶' if line.points_at(line.right) else '━'}"
        text = f"{line.left} {arrow} {line.right}  {label(line)}"
        canvas.put(1, row, fit(text, width - 2), colour(line.state))
    return canvas.to_text()


def _box(canvas: Canvas, x: int, y: int, width: int, cluster: Cluster) -> None:
    style, inner = colour(cluster.state), width - 4
    canvas.box(x, y, width, BOX_HEIGHT, style)
    canvas.put(x + 2, y, f" {fit(cluster.name, inner - len(cluster.state) - 7)} ", f"bold {style}")
    badge = f" ● {cluster.state} "
    canvas.put(x + width - len(badge) - 2, y, badge, style)
    for row, (text, row_style) in enumerate(_inside(cluster), start=y + 1):
        canvas.put(x + 2, row, fit(text, inner), row_style)
    if cluster.faults:
        text = f" {fit(' '.join(f'↯{fault}' for fault in cluster.faults), inner - 2)} "
        canvas.put(x + 2, y + BOX_HEIGHT - 1, text, "bold red")


def _inside(cluster: Cluster) -> list[tuple[str, str]]:
    if cluster.api.state != "ready":
        style = "bold red" if cluster.api.state == "unreachable" else "magenta"
        return [(f"api {cluster.api.state}", style), (cluster.api.error, "dim")]
    parts = cluster.control_plane.components
    core = [part.healthy for part in parts if part.namespace == "linkerd"]
    edge = [part.healthy for part in parts if part.namespace != "linkerd"]
    ready = [node.ready for node in cluster.nodes]
    network = f"  net {cluster.network}" if cluster.network else ""
    restarts = f"  restarts {cluster.restarts}" if cluster.restarts else ""
    load = f"nodes {sum(ready)}/{len(ready)}  pods {cluster.pods.ready}/{cluster.pods.total}{restarts}"
    is_full = all(ready) and cluster.pods.ready >= cluster.pods.total
    return [
        (f"api {cluster.api.version or 'ready'}{network}", "dim"),
        (
            f"mesh {sum(core)}/{len(core)}  multicluster {sum(edge)}/{len(edge)}",
            "" if all(core + edge) else "yellow",
        ),
        (load, "" if is_full else "yellow"),
    ]
