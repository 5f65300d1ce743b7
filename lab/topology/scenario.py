"""The `scenario:` part of the topology file as frozen values: steady state, steps, expectations.

Same rules as `model`, which embeds it. What the parts must agree on is in `check_scenario`; how they
are carried out and judged is `lab.scenarios`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints

from lab.topology import grammar
from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS, FLAGS, FaultKind, lasts
from lab.topology.part import Label, Part, Seconds


@dataclass(frozen=True)
class Bound:
    """A limit and on which side of it a figure must be: `>= 99.9%`, `<= 200ms`."""

    operator: str
    limit: float
    """A share of 1, or seconds."""


def _bound(parse: Callable[[object], tuple[str, float]]) -> BeforeValidator:
    def read(value: object) -> Bound:
        return value if isinstance(value, Bound) else Bound(*parse(value))

    return BeforeValidator(read, json_schema_input_type=_BoundText)


_BoundText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["bound"])]
SuccessBound = Annotated[
    Bound,
    _bound(grammar.parse_success_bound),
    PlainSerializer(lambda bound: f"{bound.operator} {grammar.format_percent(bound.limit)}", return_type=str),
]
LatencyBound = Annotated[
    Bound,
    _bound(grammar.parse_latency_bound),
    PlainSerializer(
        lambda bound: f"{bound.operator} {grammar.format_duration(bound.limit)}", return_type=str
    ),
]


def _parts(count: int, allowed: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, str) or len(value.split("/")) != count or not all(value.split("/")):
            raise ValueError(allowed)
        return value

    return read


def _workload(value: object) -> object:
    """The last part may be a label selector, and keys of labels may hold a slash."""
    parts = value.split("/", 2) if isinstance(value, str) else []
    if len(parts) != 3 or not all(parts) or ("/" in parts[2] and "=" not in parts[2]):
        raise ValueError("CLUSTER/NAMESPACE/DEPLOYMENT, such as west/shop/front or west/shop/app=front")
    return value


def _written(parse: Callable[[object], object]) -> BeforeValidator:
    """A word of the command line that is checked here and kept as written."""

    def read(value: object) -> object:
        parse(value)
        return value

    return BeforeValidator(read, json_schema_input_type=str)


def _several(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


TrafficName = Annotated[
    str, BeforeValidator(_parts(2, "CLUSTER/TRAFFIC, such as west/front-shop"), json_schema_input_type=str)
]
Workload = Annotated[str, BeforeValidator(_workload, json_schema_input_type=str)]
Names = Annotated[tuple[str, ...], BeforeValidator(_several, json_schema_input_type=str | list[str])]
Statuses = Annotated[tuple[int, ...], BeforeValidator(_several, json_schema_input_type=int | list[int])]


class Measures(Part):
    """What can be asked of traffic. Each measure that is given must hold."""

    traffic: TrafficName | None = None
    """Whose calls are judged: CLUSTER/TRAFFIC, a generator of `traffic:` by its name or, without one, the
    host it calls with dashes (west/front-shop)."""
    success: SuccessBound | None = None
    """Share of calls that were answered without an error: ">= 99.9%"."""
    p50: LatencyBound | None = None
    """Median latency, counted from when the schedule wanted the call sent: "<= 20ms"."""
    p99: LatencyBound | None = None
    """99th percentile of the same: "<= 200ms"."""
    answered_by: Names | None = None
    """The clusters that answered: exactly these."""
    share: Mapping[str, SuccessBound] | None = Field(default=None, min_length=1)
    """Share of the answers by cluster: {west: ">= 99%"}. Traffic with `failover` strays now and then."""
    identity: Names | None = None
    """Identities that the answering app saw calling: exactly these; * stands for any text."""
    status: Statuses | None = None
    """HTTP statuses of the answers: exactly these."""


class Steady(Part):
    """The steady state: what must hold before the first step. Without `expect`, 99 % success of all traffic
    that the expectations are about."""

    hold: Seconds = Field(default=2.0, alias="for")
    """How long it must have held."""
    within: Seconds = 60.0
    """How long to wait for it."""
    expect: tuple[Measures, ...] = ()
    """What must hold."""


class Step(Part):
    """One thing to do, and when. Exactly one of fault, heal, apply and run."""

    name: Label | None = None
    """Expectations and `heal` refer to it."""
    at: Seconds | None = None
    """When: seconds since the run began."""
    after: Seconds | None = None
    """When: seconds since the step before was over; a fault with `for` is over when it is healed. Default:
    at once."""
    fault: FaultKind | None = None
    """Break something: a verb of the fault catalogue, with the same words beside it."""
    a: str | None = None
    """partition, impair: cluster or clusters (west,asia) on one side; or, without `b`, a link: west->east."""
    b: str | None = None
    """partition, impair: and on the other."""
    cluster: str | None = None
    """The cluster a fault hits, or several with commas; for `apply`, where to (default: all)."""
    target: Workload | None = None
    """scale, kill, http: CLUSTER/NAMESPACE/DEPLOYMENT, also the name of a Service; several with commas in
    each part; or a label selector (app=front) in the place of the name."""
    to: int | None = Field(default=None, ge=0, le=50)
    """scale: number of pods (default 0)."""
    delay: Annotated[str, _written(grammar.parse_duration)] | None = None
    """impair: added each way; http: how long a request is held up; such as 50ms."""
    jitter: Annotated[str, _written(grammar.parse_duration)] | None = None
    """impair: how much the delay varies, such as 5ms."""
    loss: Annotated[str, _written(grammar.parse_percent)] | None = None
    """impair: share of packets lost, such as 1%."""
    duplicate: Annotated[str, _written(grammar.parse_percent)] | None = None
    """impair: share of packets that arrive twice, such as 0.1%."""
    corrupt: Annotated[str, _written(grammar.parse_percent)] | None = None
    """impair: share of packets with a wrong bit, such as 0.1%."""
    rate: Annotated[str, _written(grammar.parse_bandwidth)] | None = None
    """impair: bandwidth each way, such as 10mbit."""
    one_way: bool | None = None
    """partition, impair: only packets from the first side to the second."""
    share: Annotated[str, _written(grammar.parse_percent)] | None = None
    """kill, http, dns: share of pods, requests or queries that are hit, such as 30% (default: all)."""
    seed: int | None = None
    """kill: another number draws other pods for a share."""
    restart: bool | None = None
    """node: start it again at once."""
    status: int | None = Field(default=None, ge=200, le=599)
    """http: HTTP status of a failed request."""
    grpc_status: int | None = Field(default=None, ge=1, le=16)
    """http: status of a failed gRPC call, instead."""
    servfail: bool | None = None
    """dns: answer SERVFAIL instead of nothing."""
    hold: Seconds | None = Field(default=None, alias="for")
    """Heal the fault this long after it came into force. Without it `heal`, or the end of the run, does."""
    heal: str | None = None
    """Heal the fault of the step of this name, or `all`."""
    apply: str | None = None
    """Apply Kubernetes YAML: a file or folder, relative to this file. It stays applied."""
    run: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Run a program (an argument list) that must end with code 0; KUBECONFIG is the lab's."""

    @property
    def lasts(self) -> bool:
        """Whether this is a fault that stands until it is healed."""
        return self.fault is not None and lasts(self.fault, {"restart": self.restart})

    @property
    def words(self) -> str:
        """What is done, as the command line would say it."""
        if self.fault:
            values = [getattr(self, word) for word in FAULT_WORDS[self.fault] if getattr(self, word)]
            flags = [word for word in FAULT_OPTIONS.get(self.fault, ()) if getattr(self, word)]
            told = [
                f"--{word.replace('_', '-')}" + ("" if word in FLAGS else f" {getattr(self, word)}")
                for word in flags
            ]
            return " ".join([f"fault.{self.fault}", *values, *told])
        if self.heal:
            return f"heal {self.heal}"
        if self.apply:
            return f"apply {PurePath(self.apply).name}"
        return f"run {' '.join(self.run or ())}"


class Expectation(Measures):
    """What must have held in a window of the run; without one, in all of it."""

    no_errors_in: Label | None = None
    """Instead of `traffic`: no call of any traffic from this cluster failed."""
    during: Label | None = None
    """The window: while the fault of this step was in force."""
    before: Label | None = None
    """The window: until this step began."""
    after: Label | None = None
    """The window: from when this step was over (a fault: healed) to the end."""
    skip: Seconds = 0.0
    """Leave out the beginning of the window: time to react."""
    shift_within: Seconds | None = None
    """With `during`: from this long after the fault began, every call was answered, and by other clusters
    than those that answered before it (at least one call in ten of the two seconds before)."""
    failback_within: Seconds | None = None
    """With `during`: from this long after the fault was healed, every call was answered, and 99 % of them by
    those that answered before it."""


class Scenario(Part):
    """Steps, and expectations about what callers see meanwhile. `lab run` gives the verdict."""

    title: str = ""
    """What it shows, in one sentence."""
    steady: Steady = Steady()
    """What must hold before the first step."""
    steps: tuple[Step, ...] = ()
    """What is done, in this order."""
    length: Seconds | None = Field(default=None, alias="for")
    """How long the run takes. Default: until two seconds after the last step."""
    expect: tuple[Expectation, ...] = ()
    """What must have held."""
