"""How a verb ends: with its answer, with an error in words, or interrupted."""

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from rich.table import Table

from lab.base.errors import EngineUnavailable, LabError
from lab.ops.answer import Answer
from lab.verbs.verb import show, verb


def raising(error: BaseException) -> int:
    @verb()
    def broken(c: Context) -> None:
        """Fails."""
        raise error

    with pytest.raises(Exit) as caught:
        broken(Context())
    return int(caught.value.code)


@pytest.mark.parametrize(
    ("error", "code"),
    [(LabError("x"), 1), (EngineUnavailable("x"), 4), (KeyboardInterrupt(), 130)],
    ids=["an operation failed", "the engine cannot run", "interrupted"],
)
def test_an_error_becomes_its_exit_code(error: BaseException, code: int) -> None:
    assert raising(error) == code


def test_an_answer_that_is_not_ok_is_printed_and_ends_with_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit) as caught:
        show(Answer({"a": 1}, "a is 1", ok=False), as_json=False)
    assert (caught.value.code, capsys.readouterr().out) == (1, "a is 1\n")


def test_json_is_all_that_is_printed_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    show(Answer({"a": "é"}, "text"), as_json=True)
    assert capsys.readouterr().out == '{\n  "a": "é"\n}\n'


def test_names_in_a_table_that_goes_to_a_program_are_not_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("A", "B")
    table.add_row("a" * 60, "b" * 60)
    show(Answer([], table), as_json=False)
    assert f"{'a' * 60} │ {'b' * 60}" in capsys.readouterr().out
