"""The JSON Schema of `status --json`, shipped next to this module; printed for users and checked by tests."""

import json
from importlib.resources import files
from typing import Any


def status_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("lab.observe").joinpath("status.schema.json").read_text())
    return schema
