"""The page in both forms."""

from lab.ops.bundle.page import Badges, Code, Folded, Heading, Page, Paragraph, Table

PAGE = Page(
    "A <lab>",
    [
        Badges([("state", "degraded", "bad")]),
        Heading("Findings"),
        Paragraph("See `lab status`."),
        Table(("Where", "Fix"), [("a|b", "lab up")], frozenset({"Fix"}), ["bad"]),
        Code("lab repro x"),
        Folded("More", Table(("Name",), [("one",)])),
    ],
)


def test_markdown_and_html_say_the_same() -> None:
    markdown, html = PAGE.markdown(), PAGE.html()
    for word in ("degraded", "Findings", "lab status", "lab up", "lab repro x", "More", "one"):
        assert word in markdown
        assert word in html


def test_html_needs_nothing_from_elsewhere_and_escapes_what_it_shows() -> None:
    html = PAGE.html()
    assert "<h1>A &lt;lab&gt;</h1>" in html
    assert "src=" not in html
    assert "href=" not in html


def test_a_bar_in_a_cell_does_not_end_it_in_markdown() -> None:
    assert "| a\\|b | `lab up` |" in PAGE.markdown()
