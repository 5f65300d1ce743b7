"""The faults a scenario can name and what each must and may be told. Pure data.

`scenario` and `check_scenario` read it, and so does `lab.faults`. A fault kind is a row in each table here.
"""

from collections.abc import Mapping
from typing import Literal, get_args

FaultKind = Literal[
    "partition",
    "impair",
    "pause",
    "node",
    "api",
    "gateway",
    "control-plane",
    "scale",
    "kill",
    "http",
    "dns",
    "certificate",
    "clock",
]

FAULT_WORDS: Mapping[FaultKind, tuple[str, ...]] = {
    "partition": ("a", "b"),
    "impair": ("a", "b"),
    "pause": ("cluster",),
    "node": ("cluster",),
    "api": ("cluster",),
    "gateway": ("cluster",),
    "control-plane": ("cluster",),
    "scale": ("target",),
    "kill": ("target",),
    "http": ("target",),
    "dns": ("cluster",),
    "certificate": ("target",),
    "clock": ("target",),
}
"""What each fault needs to be told: the words of its verb (`lab fault.partition A B`)."""
IMPAIRMENTS = ("delay", "jitter", "loss", "duplicate", "corrupt", "rate")
FAULT_OPTIONS: Mapping[FaultKind, tuple[str, ...]] = {
    "partition": ("one_way",),
    "impair": (*IMPAIRMENTS, "one_way"),
    "node": ("restart",),
    "scale": ("to",),
    "kill": ("share", "seed"),
    "http": ("status", "grpc_status", "delay", "share"),
    "dns": ("share", "servfail"),
    "certificate": ("problem",),
    "clock": ("skew",),
}
"""What a fault may be told besides: the flags of its verb."""
FLAGS = ("one_way", "restart", "servfail")
"""Options that are said or not, and have no value."""
NEEDS_ONE_OF: Mapping[FaultKind, tuple[str, ...]] = {
    "impair": IMPAIRMENTS,
    "http": ("status", "grpc_status", "delay"),
    "clock": ("skew",),
}
"""Kinds that would do nothing without one of these options."""
Problem = Literal["expired", "not-yet-valid", "foreign-root", "wrong-name"]
"""What can be wrong with certificates; the first unless said."""
PROBLEMS: tuple[Problem, ...] = get_args(Problem)
OF_WHOLE_CLUSTERS = ("certificate", "clock")
"""Kinds whose target may also be clusters: everything there."""
Said = str | int | float | None
"""The value of a word or flag; a flag without a value is True or False."""


def lasts(kind: FaultKind, options: Mapping[str, Said]) -> bool:
    """Whether a fault stands until it is healed; others are over as soon as they were made."""
    return kind != "kill" and not options.get("restart")
