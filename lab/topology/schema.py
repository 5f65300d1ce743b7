"""The JSON Schema of topology files, for editors and for `lab schema`.

Made from the model, so it cannot say anything else; a copy ships next to this module because a
`# yaml-language-server` header needs a file. A test keeps the copy fresh.
"""

import json
from pathlib import Path
from typing import Any

from lab.topology.model import Topology

SHIPPED = Path(__file__).with_name("topology.schema.json")


def schema() -> dict[str, Any]:
    """The schema as data."""
    made = Topology.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "multicluster-lab topology",
    }


def text() -> str:
    """The schema as it is printed and shipped."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
