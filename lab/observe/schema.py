"""The JSON Schemas of `status --json` and `stat --json`, shipped next to this module."""

import json
from importlib.resources import files
from typing import Any


def status_schema() -> dict[str, Any]:
    return _schema("status")


def stat_schema() -> dict[str, Any]:
    return _schema("stat")


def _schema(verb: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("lab.observe").joinpath(f"{verb}.schema.json").read_text())
    return schema
