"""CEL expressions: compiled and type-checked once, evaluated on plain values. Pure.

The language is Google's C++ implementation; Kubernetes' own functions come from library.py. Both are
imported with the first expression, so a server that meets none stays small. Validation rules of custom
resources use this, and anything else that has CEL in its fields can.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

DYN = "dyn"
_EXTENSIONS = ("bindings", "lists", "optional", "sets", "strings", "two-var-comprehensions")
# How the C++ implementation words what cel-go, and so Kubernetes, says otherwise.
_WORDS = (
    ("Key not found in map : ", "no such key: "),
    ("No matching overloads found : ", "no such overload: "),
    ("Index error: ", "index out of bounds: "),
    ("divide by zero", "division by zero"),
)


class CelError(Exception):
    """An expression that cannot be compiled, or that failed on these values."""


class BudgetExceeded(CelError):
    """The evaluation took more steps than one may."""


@dataclass(frozen=True)
class Program:
    """`returns` is the checked type: BOOL, STRING, LIST…, or DYN where only the value tells."""

    returns: str
    _compiled: Any

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The result as a plain value. Raises CelError when there is none."""
        try:
            found = self._compiled.eval(data=dict(values))
            failed = found.type().name() == "ERROR"
            value = found.plain_value() if not failed else found.value()
        except (RuntimeError, TypeError) as error:
            raise _failure(str(error)) from error
        if failed:
            raise _failure(str(value))
        return value


def compile_expression(text: str, variables: tuple[tuple[str, str], ...]) -> Program:
    """`variables` are (name, CEL type), as ("self", "dyn"). Raises CelError with the place and the reason."""
    try:
        compiled = _environment(variables).compile(text)
    except RuntimeError as error:
        raise CelError(_message(str(error))) from error
    return Program(compiled.return_type().name(), compiled)


@lru_cache(maxsize=32)
def _environment(variables: tuple[tuple[str, str], ...]) -> Any:
    from cel_expr_python import cel

    from lab.pocket.apiserver.cel.library import functions

    config = "extensions:\n" + "".join(f"- name: {name}\n" for name in _EXTENSIONS)
    return cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(config),
        variables={name: cel.Type(kind) for name, kind in variables},
        functions=functions(),
    )


def _failure(text: str) -> CelError:
    if "budget exceeded" in text:
        return BudgetExceeded("actual cost limit exceeded")
    return CelError(_message(text))


def _message(text: str) -> str:
    """Without the status codes around it, and with cel-go's words."""
    code, _, rest = text.partition(": ")
    if code.isupper():
        text = rest
    if text.endswith("]"):
        text = text[: text.rindex("[")].rstrip()
    for ours, upstream in _WORDS:
        text = text.replace(ours, upstream)
    return text
