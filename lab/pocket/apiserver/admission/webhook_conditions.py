"""matchConditions: CEL expressions over a request that narrow down what a webhook is asked about. Pure.

All must be true. One that is false spares the webhook the question, whatever else fails; one that fails
refuses the request, or spares the question too where the webhook's failurePolicy is Ignore.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lab.pocket.apiserver.cel.program import CelError, Program, compile_expression
from lab.pocket.apiserver.errors import Cause, StatusError, Target, forbidden, invalid_value, required

Object = dict[str, Any]

_VARIABLES = (("object", "dyn"), ("oldObject", "dyn"), ("request", "dyn"))
_LIMIT = 64


@lru_cache(maxsize=256)
def _program(expression: str) -> Program:
    found = compile_expression(expression, _VARIABLES)
    if found.returns not in ("BOOL", "DYN"):
        raise CelError("must evaluate to bool")
    return found


def wrong_conditions(conditions: list[Object], at: str) -> Iterator[Cause]:
    if len(conditions) > _LIMIT:
        yield Cause(at, f"Too many: {len(conditions)}: must have at most {_LIMIT} items", "FieldValueTooMany")
    names = set()
    for index, one in enumerate(conditions):
        name, expression = str(one.get("name") or ""), str(one.get("expression") or "")
        if not name:
            yield required(f"{at}[{index}].name")
        elif name in names:
            text = f"Duplicate value: {json.dumps(name)}"
            yield Cause(f"{at}[{index}].name", text, "FieldValueDuplicate")
        names.add(name)
        if not expression.strip():
            yield required(f"{at}[{index}].expression")
            continue
        try:
            _program(expression)
        except CelError as error:
            yield invalid_value(f"{at}[{index}].expression", expression, f"compilation failed: {error}")


def asked(conditions: list[Object], request: Object, policy: str) -> bool:
    """Whether the webhook is to be asked. Raises 403 when a condition fails and none is false."""
    about = {key: value for key, value in request.items() if key not in ("object", "oldObject")}
    values = {"object": request["object"], "oldObject": request["oldObject"], "request": about}
    failed = []
    for one in conditions:
        try:
            if _program(str(one["expression"])).evaluate(values) is not True:
                return False
        except CelError as error:
            failed.append(f"expression '{one['expression']}' resulted in error: {error}")
    if failed and policy != "Ignore":
        raise _refused(request, ", ".join(failed))
    return not failed


def _refused(request: Object, why: str) -> StatusError:
    about = request["requestResource"]
    return forbidden(Target(about["resource"], about["group"], str(request["name"])), why)
