"""The frame of every chart: an axis of time, the faults and steps on top, below them rows for measures.

Colours of text, grid and background are the page's (`report.css`), so that light, dark and paper each get
their own. `plots` fills the rows.
"""

from collections.abc import Sequence

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from lab.scenarios.figures import Bar, Chart

FAULT = "#d55e00"
NEUTRAL = "#808891"
_SHADE = "rgba(213,94,0,.12)"
_BAR_ROW, _HEAD, _FOOT = 34, 26, 38
"""Pixels: of each step, above all and below all."""
_GAP = 28
"""Pixels above each row, for its title."""


def frame(chart: Chart, rows: Sequence[tuple[str, int]]) -> tuple[go.Figure, int]:
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
        ticks="outside",
        ticklen=5,
        tickcolor="rgba(0,0,0,0)",
        fixedrange=True,
    )
    figure.update_yaxes(zeroline=False, fixedrange=True)
    return figure, total


def _draw_bar(figure: go.Figure, bar: Bar, place: int, chart: Chart) -> None:
    right = bar.begin > chart.length * 0.55
    label = f"{bar.words}  {_when(bar)}"
    if bar.lasting:
        figure.add_vrect(
            bar.begin,
            bar.end,
            fillcolor=_SHADE,
            line_width=0,
            layer="below",
            row="all",
            col=1,
            exclude_empty_subplots=False,
        )
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
            marker={"symbol": "diamond", "size": 9, "color": NEUTRAL},
        )
    drawn.update(hovertemplate=f"{escaped(label)}<extra></extra>", name=bar.words)
    figure.add_trace(drawn, row=1, col=1)
    figure.add_annotation(
        text=escaped(bar.words),
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


def escaped(text: str) -> str:
    """Plotly reads a little HTML in its texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
