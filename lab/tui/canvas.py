"""A grid of characters with styles, for drawings that a layout of widgets cannot express. Pure."""

from rich.text import Text

Cell = tuple[str, str]
BLANK: Cell = (" ", "")


class Canvas:
    """Later drawings cover earlier ones; what falls outside is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._rows = [[BLANK] * width for _ in range(height)]

    def put(self, x: int, y: int, text: str, style: str = "") -> None:
        """Write one-column characters to the right from (x, y)."""
        for offset, char in enumerate(text):
            if 0 <= y < self.height and 0 <= x + offset < self.width:
                self._rows[y][x + offset] = (char, style)

    def at(self, x: int, y: int) -> str:
        return self._rows[y][x][0]

    def box(self, x: int, y: int, width: int, height: int, style: str = "") -> None:
        self.put(x, y, f"╭{'─' * (width - 2)}╮", style)
        for row in range(y + 1, y + height - 1):
            self.put(x, row, "│", style)
            self.put(x + width - 1, row, "│", style)
        self.put(x, y + height - 1, f"╰{'─' * (width - 2)}╯", style)

    def to_text(self) -> Text:
        text = Text(no_wrap=True)
        for number, row in enumerate(self._rows):
            if number:
                text.append("\n")
            for char, style in row:
                text.append(char, style)
        return text


def fit(text: str, width: int) -> str:
    """`text`, cut to `width` columns with an ellipsis."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"[: max(0, width)]
