"""The figures of a run → charts for the browser, as JSON that plotly.js draws. Thin: no decisions about data.

Colours of text, grid and background are the page's (`page.css`), so that light, dark and paper each get
their own; the colours here are told apart on all of them, and by people who see few colours
(Okabe and Ito). `page` imports this only when a page is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from lab.scenarios.figures import Bar, Chart, Column, Dot, Panel, Trace
from lab.topology.grammar import format_percent

CLUSTER_COLOURS = ("#0a84c6", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8f7ee0", "#b8860b")
FAULT = "#d55e00"
_NEUTRAL = "#808891"
_SHADE = "rgba(213,94,0,.12)"
_BAR_ROW, _HEAD, _FOOT = 34, 26, 38
_ROWS = (("Success", 76), ("Latency", 150), ("Share of answers", 86))
_GAP = 30
"""Pixels above each row, for its title."""


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
    figure, height = _frame(chart, _ROWS)
    columns = panel.columns
    middle = [one.begin + chart.width / 2 for one in columns]
    figure.add_trace(_success(columns, middle), row=2, col=1)
    for trace in _latency(panel, middle, colours(chart)):
        figure.add_trace(trace, row=3, col=1)
    for name, colour in colours(chart).items():
        figure.add_trace(_share(name, colour, columns, middle, chart.width), row=4, col=1)
    figure.update_layout(barmode="stack", bargap=0)
    figure.update_yaxes(row=2, col=1, range=[-0.06, 1.06], tickvals=[0, 0.5, 1], tickformat=".0%")
    figure.update_yaxes(
        row=3,
        col=1,
        type="log",
        tickvals=[0.1, 1, 10, 100, 1000, 10000],
        ticktext=["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s"],
    )
    figure.update_yaxes(row=4, col=1, range=[0, 1.02], tickvals=[0, 0.5, 1], tickformat=".0%")
    calls = sum(one.calls for one in columns)
    good = sum(round((one.success or 0.0) * one.calls) for one in columns)
    words = (
        f"{calls} calls in {chart.length:.1f} s, {format_percent(round(good / max(calls, 1), 5))} answered"
    )
    return Plot(panel.traffic, words, height, figure.to_json())


def _probe(trace: Trace, chart: Chart) -> Plot:
    figure, height = _frame(chart, (("Value", 110),))
    times, values = [time for time, _ in trace.points], [value for _, value in trace.points]
    figure.add_trace(
        go.Scatter(
            x=times,
            y=values,
            mode="lines+markers",
            line={"color": _NEUTRAL, "shape": "hv"},
            marker={"size": 3},
            hovertemplate="%{y}<extra>value</extra>",
        ),
        row=2,
        col=1,
    )
    return Plot(f"probe {trace.probe}", f"{len(times)} looks", height, figure.to_json())


def _frame(chart: Chart, rows: Sequence[tuple[str, int]]) -> tuple[go.Figure, int]:
    """A figure with the steps on top and empty rows below them, on one axis of time."""
    steps = max(1, len(chart.bars)) * _BAR_ROW
    heights = [steps, *(height for _, height in rows)]
    inner = sum(heights) + _GAP * len(rows)
    figure = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=_GAP / inner,
        subplot_titles=["Faults and steps", *(title for title, _ in rows)],
    )
    figure.update_annotations(x=0, xanchor="left", font={"size": 12}, yshift=3)
    for place, bar in enumerate(chart.bars):
        _draw_bar(figure, bar, place, chart)
    figure.update_yaxes(
        row=1, col=1, range=[max(1, len(chart.bars)) - 0.3, -0.7], showticklabels=False, showgrid=False
    )
    total = inner + _HEAD + _FOOT
    figure.update_layout(
        height=total,
        margin={"l": 56, "r": 12, "t": _HEAD, "b": _FOOT},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="x unified",
        font={"family": "system-ui, sans-serif", "size": 11},
        dragmode=False,
    )
    figure.update_xaxes(
        range=[0, chart.length],
        zeroline=False,
        showspikes=True,
        spikemode="across",
        spikethickness=1,
        spikedash="dot",
        spikesnap="cursor",
        hoverformat=".2f",
        ticksuffix=" s",
        fixedrange=True,
    )
    figure.update_yaxes(zeroline=False, fixedrange=True)
    return figure, total


def _draw_bar(figure: go.Figure, bar: Bar, place: int, chart: Chart) -> None:
    right = bar.begin > chart.length * 0.55
    label = f"{bar.words}  {_when(bar)}"
    if bar.lasting:
        figure.add_vrect(bar.begin, bar.end, fillcolor=_SHADE, line_width=0, layer="below", row="all", col=1)
        drawn = go.Bar(
            x=[bar.end - bar.begin],
            base=[bar.begin],
            y=[place + 0.22],
            width=0.3,
            orientation="h",
            marker={"color": FAULT, "line": {"width": 0}},
        )
    else:
        drawn = go.Scatter(
            x=[bar.begin],
            y=[place + 0.22],
            mode="markers",
            marker={"symbol": "diamond", "size": 9, "color": _NEUTRAL},
        )
    drawn.update(hovertemplate=f"{_escaped(label)}<extra></extra>", name=bar.words)
    figure.add_trace(drawn, row=1, col=1)
    figure.add_annotation(
        text=_escaped(bar.words),
        x=min(bar.end, chart.length) if right else bar.begin,
        y=place - 0.22,
        xanchor="right" if right else "left",
        yanchor="middle",
        showarrow=False,
        row=1,
        col=1,
    )


def _when(bar: Bar) -> str:
    return f"{bar.begin:.1f} s to {bar.end:.1f} s" if bar.lasting else f"at {bar.begin:.1f} s"


def _escaped(text: str) -> str:
    """Plotly reads a little HTML in its texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _success(columns: Sequence[Column], middle: Sequence[float]) -> go.Scatter:
    told = [
        "no calls"
        if one.success is None
        else f"{format_percent(round(one.success, 4))} of {one.calls}"
        + "".join(f"<br>{count} {_escaped(error)}" for error, count in one.errors.items())
        for one in columns
    ]
    return go.Scatter(
        x=middle,
        y=[one.success for one in columns],
        customdata=told,
        mode="lines",
        fill="tozeroy",
        line={"color": "#009e73", "shape": "hvh", "width": 2},
        fillcolor="rgba(0,158,115,.15)",
        hovertemplate="%{customdata}<extra>success</extra>",
        name="success",
    )


def _latency(panel: Panel, middle: Sequence[float], colour_of: dict[str, str]) -> list[go.Scatter]:
    good = [one for one in panel.dots if not one.error]
    bad = [one for one in panel.dots if one.error]
    return [
        _dots(
            "calls",
            good,
            {"size": 3, "opacity": 0.45, "color": [colour_of.get(one.cluster, _NEUTRAL) for one in good]},
        ),
        _dots("failed calls", bad, {"size": 6, "symbol": "x-thin", "line": {"color": FAULT, "width": 1.5}}),
        *(
            go.Scatter(
                x=middle,
                y=values,
                mode="lines",
                name=name,
                line={"dash": dash, "width": 2, "shape": "hvh", "color": _NEUTRAL},
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
        y=[round(max(one.latency, 0.1), 2) for one in dots],
        mode="markers",
        marker=marker,
        name=name,
        hoverinfo="skip",
    )


def _share(
    name: str, colour: str, columns: Sequence[Column], middle: Sequence[float], width: float
) -> go.Bar:
    return go.Bar(
        x=middle,
        y=[one.shares.get(name, 0.0) for one in columns],
        width=width,
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        hovertemplate=f"%{{y:.1%}}<extra>{_escaped(name)}</extra>",
    )
