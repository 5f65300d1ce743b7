"""A page of headings, paragraphs, tables and commands, as Markdown and as one self-contained HTML file. Pure.

Both forms are made of the same blocks, so they say the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

_STYLE = Path(__file__).with_name("page.css")

Tone = Literal["good", "bad", "warn", "plain"]


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Badges:
    """Short facts side by side: (name, value, tone)."""

    items: Sequence[tuple[str, str, Tone]]


@dataclass(frozen=True)
class Paragraph:
    """Text; what stands between backticks is code."""

    text: str


@dataclass(frozen=True)
class Table:
    """`code` names the columns whose cells are commands or paths; `tone` colours the first cell of a row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: frozenset[str] = frozenset()
    tones: Sequence[Tone] = ()


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Folded:
    """Something long that opens on request."""

    title: str
    table: Table


Block = Heading | Badges | Paragraph | Table | Code | Folded


@dataclass(frozen=True)
class Page:
    title: str
    blocks: Sequence[Block]

    def markdown(self) -> str:
        return f"# {self.title}\n\n" + "\n\n".join(_markdown(block) for block in self.blocks) + "\n"

    def html(self) -> str:
        body = "\n".join(_html(block) for block in self.blocks)
        return _FRAME.format(title=escape(self.title), style=_STYLE.read_text(encoding="utf-8"), body=body)


def _markdown(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {text}"
        case Badges(items):
            return "\n".join(f"- {name}: **{_cell(value)}**" for name, value, _tone in items)
        case Paragraph(text):
            return text
        case Code(text):
            return f"```console\n{text}\n```"
        case Folded(title, table):
            return f"### {title}\n\n{_markdown(table)}"
        case Table(columns, rows, code):
            lines = [columns, ["---"] * len(columns)]
            lines += [
                [f"`{cell}`" if name in code and cell else _cell(cell) for name, cell in _named(columns, row)]
                for row in rows
            ]
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _named(columns: Sequence[str], row: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, cell.replace("\n", " ")) for name, cell in zip(columns, row, strict=True)]


def _cell(text: str) -> str:
    return re.sub(r"([|\\`*_<>])", r"\\\1", text)


def _html(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Badges(items):
            badges = (
                f'<div class="badge {tone}"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
                for name, value, tone in items
            )
            return f'<dl class="badges">{"".join(badges)}</dl>'
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Code(text):
            return f"<pre><code>{escape(text)}</code></pre>"
        case Folded(title, table):
            return f"<details><summary>{escape(title)}</summary>{_html(table)}</details>"
        case Table():
            return _html_table(block)


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    tones = [*table.tones, *["plain"] * (len(table.rows) - len(table.tones))]
    rows = "".join(
        f'<tr class="{tone}">{"".join(_html_cell(table, *cell) for cell in _named(table.columns, row))}</tr>'
        for tone, row in zip(tones, table.rows, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _html_cell(table: Table, column: str, text: str) -> str:
    shown = f"<code>{_breakable(text)}</code>" if column in table.code and text else _inline(text)
    return f'<td data-name="{escape(column)}">{shown}</td>'


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _breakable(text))


def _breakable(text: str) -> str:
    """Long names may be broken at their dots, slashes and dashes; nothing else is."""
    return re.sub(
        r"\S{25,}", lambda word: re.sub(r"([./-])(?=\w)", r"\1<wbr>", word[0]), escape(text, quote=False)
    )


_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
