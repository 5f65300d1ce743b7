"""The modal screens: choosing a fault, confirming, and showing one object as YAML."""

from collections.abc import Sequence

import yaml
from rich.syntax import Syntax
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from lab.tui.actions import Choice


class ChooseFault(ModalScreen[Choice | None]):
    """A list of faults and targets, narrowed by typing; shows the command line of the one under the
    cursor.
    """

    BINDINGS = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("down", "move(1)", "Next", show=False, priority=True),
        Binding("up", "move(-1)", "Previous", show=False, priority=True),
    ]

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = {f"{choice.kind} {choice.target}": choice for choice in choices}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Inject a fault"
            yield Input(placeholder="type to narrow: pause east", id="narrow")
            yield OptionList(id="choices")
            yield Label("", id="command")

    def on_mount(self) -> None:
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, text: str) -> None:
        words = text.lower().split()
        found = [
            Option(f"{choice.kind:<14} {choice.title}", id=key)
            for key, choice in self._choices.items()
            if all(word in f"{key} {choice.title}".lower() for word in words)
        ]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(found)
        options.highlighted = 0 if found else None
        self._tell()

    def _under_cursor(self) -> Choice | None:
        option = self.query_one(OptionList).highlighted_option
        return self._choices[str(option.id)] if option else None

    def _tell(self) -> None:
        choice = self._under_cursor()
        self.query_one("#command", Label).update(f"$ {choice.command}" if choice else "nothing matches")

    def on_option_list_option_highlighted(self) -> None:
        self._tell()

    def on_option_list_option_selected(self) -> None:
        self.dismiss(self._under_cursor())

    def on_input_submitted(self) -> None:
        if choice := self._under_cursor():
            self.dismiss(choice)

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + step) % options.option_count


class ShowYaml(ModalScreen[None]):
    """One object as YAML."""

    BINDINGS = [Binding("escape,q,y", "dismiss(None)", "Close")]

    def __init__(self, title: str, value: object) -> None:
        super().__init__()
        self._title, self._value = title, value

    def compose(self) -> ComposeResult:
        text = yaml.safe_dump(self._value, sort_keys=False, allow_unicode=True)
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = self._title
            yield Static(Syntax(text, "yaml", background_color="default"))


class Confirm(ModalScreen[bool]):
    """Asks before something that touches more than one thing."""

    BINDINGS = [Binding("y,enter", "dismiss(True)", "Yes"), Binding("n,escape", "dismiss(False)", "No")]

    def __init__(self, question: str, command: str) -> None:
        super().__init__()
        self._question, self._command = question, command

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog small") as dialog:
            dialog.border_title = self._question
            yield Label(f"$ {self._command}", id="command")
            yield Label("[b]y[/b] yes   [b]n[/b] no")
