"""The faults a scenario can name and what each must and may be told. Pure data.

`scenario` and `check_scenario` read it, and so does `lab.faults`. A fault kind is a row in each table here.
"""

from collections.abc import Mapping
from typing import Literal

FaultKind = Literal["partition", "impair", "pause", "api", "gateway", "control-plane", "scale", "kill"]

FAULT_WORDS: Mapping[FaultKind, tuple[str, ...]] = {
    "partition": ("a", "b"),
    "impair": ("a", "b"),
    "pause": ("cluster",),
    "api": ("cluster",),
    "gateway": ("cluster",),
    "control-plane": ("cluster",),
    "scale": ("target",),
    "kill": ("target",),
}
"""What each fault needs to be told: the words of its verb (`lab fault.partition A B`)."""
IMPAIRMENTS = ("delay", "jitter", "loss", "duplicate", "rate")
FAULT_OPTIONS: Mapping[FaultKind, tuple[str, ...]] = {"scale": ("to",), "impair": (*IMPAIRMENTS, "one_way")}
"""What a fault may be told besides: the flags of its verb."""
