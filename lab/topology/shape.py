"""What pydantic says about a file, in the words of this project.

`load` calls it with pydantic's errors and the data that caused them. Each becomes a Problem with the
path as written in the file, what was found there and what may stand there.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from lab.topology.model import Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed

_LABEL = "a name of lower-case letters, digits and dashes, starting with a letter, at most 32 characters"
_URL = "a URL like http://front.shop/path (http, grpc or tcp)"

_QUOTED = "text; put it in quotes"

_TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}


def translate(errors: Sequence[ErrorDetails], data: object) -> list[Problem]:
    """All of pydantic's errors about `data`, in file terms."""
    return [_problem(error, data) for error in errors if not _follows(error, errors)]


def without(errors: Sequence[ErrorDetails], data: object) -> object:
    """The data without the parts the errors are about, to look for further problems in the rest.

    Nothing, when a name itself is wrong: whatever refers to it would be reported once more.
    """
    if any("[key]" in error["loc"] for error in errors):
        return None
    kept = deepcopy(data)
    for path in sorted((_written(error["loc"], data) for error in errors), key=repr, reverse=True):
        _remove(kept, path)
    return kept


def _remove(data: Any, path: Path) -> None:
    for part in path[:-1]:
        data = data[part]
    if path and isinstance(data, dict):
        data.pop(path[-1], None)
    elif path:
        del data[path[-1]]


def _follows(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """A list whose only entries are wrong also counts as too short; the entries say enough."""
    inner = len(error["loc"]) + 1
    return error["type"] == "too_short" and any(
        len(other["loc"]) >= inner and other["loc"][: inner - 1] == error["loc"] for other in errors
    )


def _problem(error: ErrorDetails, data: object) -> Problem:
    location = error["loc"]
    bad_key = location[-1:] == ("[key]",)
    path = _written(location[:-1] if bad_key else location, data)
    kind = error["type"]
    if kind == "extra_forbidden":
        allowed = keys_at(location[:-1])
        return Problem(path, "unknown key", listed(allowed), did_you_mean(str(location[-1]), allowed))
    if kind == "missing":
        return Problem(_written(location[:-1], data) + location[-1:], "is missing")
    if kind == "invalid_key":
        return Problem(path[:-1], f"the key {shown(error['input'])}", _QUOTED)
    if bad_key and not isinstance(error["input"], str):
        return Problem(_written(location[:-2], data), f"the key {shown(error['input'])}", _QUOTED)
    value = path[-1] if bad_key and path else error["input"]
    found, allowed_text = f"found {shown(value)}", _allowed(error)
    choices = _choices(error)
    return Problem(path, found, allowed_text, _hint(value, choices))


def _hint(value: object, choices: list[str]) -> str:
    """The nearest choice; `2.14` without quotes is a number, and not one of the choices."""
    if str(value) in choices:
        return "put it in quotes"
    return did_you_mean(str(value), choices) if choices else ""


def _allowed(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return listed(_choices(error))
    if kind == "string_pattern_mismatch":
        return _URL if "http" in str(context["pattern"]) else _LABEL
    if kind == "too_short":
        return f"at least {context['min_length']} entry"
    bounds = {"greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}"}
    return bounds.get(kind, error["msg"]).format(**context)


def _choices(error: ErrorDetails) -> list[str]:
    if error["type"] != "literal_error":
        return []
    text = str(error["ctx"]["expected"])
    return [word.strip("' ") for word in text.replace(" or ", ",").split(",")]


def shown(value: object) -> str:
    """A value as the user should see it: with its type where YAML may have surprised them."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true/false)"
    if isinstance(value, int | float):
        return f"{value} (a number)"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, Sequence) else f"{value} (a {type(value).__name__})"


def _written(location: Path, data: object) -> Path:
    """The longest part of a location that stands in the file: shorthands have no inner parts."""
    path: Path = ()
    here = data
    for part in location:
        inside_list = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if not inside_list and not (isinstance(here, dict) and part in here):
            break
        here = here[part]  # type: ignore[index]
        path += (part,)
    return path


def keys_at(location: Path) -> list[str]:
    """The keys that may stand in the mapping at a location of the file."""
    kind: Any = Topology
    for part in location:
        kind = _inner(kind, part)
    model = _model(kind)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _inner(kind: Any, part: str | int) -> Any:
    model = _model(kind)
    if model is not None:
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return fields.get(str(part))
    arguments = get_args(_bare(kind))
    return arguments[0 if isinstance(part, int) else -1] if arguments else None


def _model(kind: Any) -> type[BaseModel] | None:
    bare = _bare(kind)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _bare(kind: Any) -> Any:
    """The type that matters: without annotations, and of `X | None` the X."""
    if get_origin(kind) in (Annotated, UnionType, Union):
        return _bare(get_args(kind)[0])
    return kind
