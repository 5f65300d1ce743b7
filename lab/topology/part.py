"""Words that all parts of the topology file share: names, durations, and what a part is.

`model` and `scenario` build on them.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints

from lab.topology import grammar

Label = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$")]

_DurationText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["duration"])]

Seconds = Annotated[
    float,
    BeforeValidator(grammar.parse_duration, json_schema_input_type=_DurationText),
    PlainSerializer(grammar.format_duration, when_used="json"),
]


class Part(BaseModel):
    """What all parts of the file share: values never change, unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True
    )
