"""The figures of a run → charts for the browser, as JSON that plotly.js draws. Thin: no decisions about data.

The colours of traces are told apart in light, in dark and on paper, and by people who see few colours (Okabe
and Ito). `pages` imports this only when a page is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from plotly import graph_objects as go

from lab.scenarios.figures import Chart, Column, Dot, Panel, Trace
from lab.scenarios.frame import FAULT, NEUTRAL, escaped, frame
from lab.topology.grammar import format_percent

CLUSTER_COLOURS = ("#0a84c6", "#cc79a7", "#e69f00", "#56b4e9", "#8f7ee0", "#b8860b")
SUCCESS = "#009e73"
_SUCCESS_FILL = "rgba(0,158,115,.15)"
_ROWS = (("Success", 64), ("Latency", 130), ("Share of answers", 60))
LEAST = 0.1
"""Milliseconds below which calls are drawn as if they had taken this."""
ROOM = 50
"""How many times the least the greatest may be for an axis to have more marks than powers of ten."""


@dataclass(frozen=True)
class Plot:
    """One chart: its heading, what it shows in a sentence, its height in pixels and plotly's JSON."""

    title: str
    words: str
    height: int
    json: str


def colours(chart: Chart) -> dict[str, str]:
    """The colour of each cluster."""
    return {
        name: CLUSTER_COLOURS[number % len(CLUSTER_COLOURS)] for number, name in enumerate(chart.clusters)
    }


def plots(chart: Chart) -> list[Plot]:
    """A chart for each traffic, and one for each probe that sees numbers."""
    return [_traffic(panel, chart) for panel in chart.panels] + [_probe(one, chart) for one in chart.traces]


def _traffic(panel: Panel, chart: Chart) -> Plot:
    figure, height = frame(chart, _ROWS)
    columns = panel.columns
    figure.add_trace(_success(columns, chart), row=2, col=1)
    for trace in _latency(panel, chart):
        figure.add_trace(trace, row=3, col=1)
    for name, colour in colours(chart).items():
        figure.add_trace(_share(name, colour, columns, chart), row=4, col=1)
    figure.update_layout(barmode="stack", bargap=0)
    figure.update_yaxes(row=2, col=1, range=[-0.06, 1.06], tickvals=[0, 0.5, 1], tickformat=".0%")
    ticks = _ticks([max(one.latency, LEAST) for one in panel.dots])
    figure.update_yaxes(row=3, col=1, type="log", tickvals=ticks, ticktext=[_ms(one) for one in ticks])
    figure.update_yaxes(row=4, col=1, range=[0, 1.02], tickvals=[0, 0.5, 1], tickformat=".0%")
    return Plot(panel.traffic, _summary(panel.total, chart.length), height, figure.to_json())


def _summary(total: Column, length: float) -> str:
    """A traffic's figures over the whole run, in words."""
    if total.success is None:
        return "no calls"
    words = [f"{total.calls} calls in {length:.1f} s", f"{format_percent(round(total.success, 5))} answered"]
    words += [f"{name} {_ms(value)}" for name, value in (("p50", total.p50), ("p99", total.p99)) if value]
    return ", ".join(words)


def _ms(value: float) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


def _ticks(values: Sequence[float]) -> list[float]:
    """Where a logarithmic axis of milliseconds is marked: at 1, 2 and 5 where there is room for it."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    steps = (1.0, 2.0, 5.0) if high / low < ROOM else (1.0,)
    return [step * 10.0**power for power in range(-1, 6) for step in steps]


def _probe(trace: Trace, chart: Chart) -> Plot:
    figure, height = frame(chart, (("Value", 110),))
    times, values = [time for time, _ in trace.points], [value for _, value in trace.points]
    figure.add_trace(
        go.Scatter(
            x=times,
            y=values,
            mode="lines+markers",
            line={"color": NEUTRAL, "shape": "hv"},
            marker={"size": 3},
            hovertemplate="%{y}<extra>value</extra>",
        ),
        row=2,
        col=1,
    )
    return Plot(f"probe {trace.probe}", f"{len(times)} looks", height, figure.to_json())


def _widths(chart: Chart, columns: Sequence[Column]) -> list[float]:
    """Seconds of each column; the last one reaches to the end of the run."""
    return [chart.width] * (len(columns) - 1) + [chart.length - one.begin for one in columns[-1:]]


def _middles(chart: Chart, columns: Sequence[Column]) -> list[float]:
    return [one.begin + width / 2 for one, width in zip(columns, _widths(chart, columns), strict=True)]


def _line(chart: Chart, columns: Sequence[Column], values: Sequence[object], **look: object) -> go.Scatter:
    """A line with a step per column that reaches from the begin of the run to its end."""
    times = [0.0, *_middles(chart, columns), chart.length]
    reached = [*values[:1], *values, *values[-1:]]
    return go.Scatter(x=times, y=reached, mode="lines", **look)


def _success(columns: Sequence[Column], chart: Chart) -> go.Scatter:
    told = [
        "no calls"
        if one.success is None
        else f"{format_percent(round(one.success, 4))} of {one.calls}"
        + "".join(f"<br>{count} {escaped(error)}" for error, count in one.errors.items())
        for one in columns
    ]
    return _line(
        chart,
        columns,
        [one.success for one in columns],
        customdata=[*told[:1], *told, *told[-1:]],
        fill="tozeroy",
        line={"color": SUCCESS, "shape": "hvh", "width": 2},
        fillcolor=_SUCCESS_FILL,
        hovertemplate="%{customdata}<extra>success</extra>",
        name="success",
    )


def _latency(panel: Panel, chart: Chart) -> list[go.Scatter]:
    colour_of = colours(chart)
    good = [one for one in panel.dots if not one.error]
    bad = [one for one in panel.dots if one.error]
    seen_by = [colour_of.get(one.cluster, NEUTRAL) for one in good]
    return [
        _dots("calls", good, {"size": 3, "opacity": 0.45, "color": seen_by}),
        _dots("failed calls", bad, {"size": 6, "symbol": "x-thin", "line": {"color": FAULT, "width": 1.5}}),
        *(
            _line(
                chart,
                panel.columns,
                values,
                name=name,
                line={"dash": dash, "width": 2, "shape": "hvh", "color": NEUTRAL},
                hovertemplate=f"%{{y:.1f}} ms<extra>{name}</extra>",
            )
            for name, dash, values in (
                ("p99", "dot", [one.p99 for one in panel.columns]),
                ("p50", "solid", [one.p50 for one in panel.columns]),
            )
        ),
    ]


def _dots(name: str, dots: Sequence[Dot], marker: dict[str, object]) -> go.Scatter:
    return go.Scatter(
        x=[round(one.time, 3) for one in dots],
        y=[round(max(one.latency, LEAST), 2) for one in dots],
        mode="markers",
        marker=marker,
        name=name,
        hoverinfo="skip",
    )


def _share(name: str, colour: str, columns: Sequence[Column], chart: Chart) -> go.Bar:
    return go.Bar(
        x=_middles(chart, columns),
        y=[one.shares.get(name, 0.0) for one in columns],
        width=_widths(chart, columns),
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        hovertemplate=f"%{{y:.1%}}<extra>{escaped(name)}</extra>",
    )
