"""The `scenario:` part of the topology file as frozen values: steady state, steps, expectations.

Same rules as `model`, which embeds it. What the parts must agree on is in `check_scenario`; how they
are carried out and judged is `lab.scenarios`.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lab.topology import grammar
from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS, FLAGS, FaultKind, Problem, lasts
from lab.topology.measures import Expectation, Measures, When
from lab.topology.part import Label, Part, Seconds
from lab.topology.probes import Probe
from lab.topology.words import FaultTarget, written


class Repeat(Part):
    """A step done several times."""

    count: int = Field(ge=1, le=1000)
    """How many times."""
    pause: Seconds = 0.0
    """How long to wait between the end of one and the begin of the next."""
    varies: Seconds = 0.0
    """Up to how much longer a pause is, by chance (see `seed`)."""


def _times(value: object) -> object:
    return {"count": value} if isinstance(value, int) and not isinstance(value, bool) else value


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
    """One thing to do, and when. Exactly one of fault, heal, apply, run, steps, parallel and any; one with
    `when` may also do nothing but wait."""

    name: Label | None = None
    """Expectations and `heal` refer to it."""
    at: Seconds | None = None
    """When: seconds since the run began."""
    after: Seconds | None = None
    """When: seconds since the step before was over; a fault with `for` is over when it is healed. Default:
    at once."""
    when: When | None = None
    """When: as soon as this holds, after the time that `at` or `after` says."""
    otherwise: tuple["Step", ...] = ()
    """With `when`: do this if it does not come to hold in time. The steps that follow are then left out."""
    repeat: Annotated[Repeat, BeforeValidator(_times, json_schema_input_type=int | Repeat)] | None = None
    """Do it several times: a number, or {count: 3, pause: 1s}."""
    steps: tuple["Step", ...] = ()
    """Do these one after the other."""
    parallel: tuple["Step", ...] = ()
    """Do these at the same time."""
    any: tuple["Step", ...] = ()
    """Do one of these, chosen by chance (see `seed`)."""
    fault: FaultKind | None = None
    """Break something: a verb of the fault catalogue, with the same words beside it."""
    a: str | None = None
    """partition, impair: cluster or clusters (west,asia) on one side; or, without `b`, a link: west->east."""
    b: str | None = None
    """partition, impair: and on the other."""
    cluster: str | None = None
    """The cluster a fault hits, or several with commas; for `apply`, where to (default: all)."""
    target: FaultTarget | None = None
    """scale, kill, http, certificate, clock: CLUSTER/NAMESPACE/DEPLOYMENT, also the name of a Service;
    several with commas in each part; or a label selector (app=front) in the place of the name. The last two:
    also clusters."""
    to: int | None = Field(default=None, ge=0, le=50)
    """scale: number of pods (default 0)."""
    delay: Annotated[str, written(grammar.parse_duration)] | None = None
    """impair: added each way; http: how long a request is held up; such as 50ms."""
    jitter: Annotated[str, written(grammar.parse_duration)] | None = None
    """impair: how much the delay varies, such as 5ms."""
    loss: Annotated[str, written(grammar.parse_percent)] | None = None
    """impair: share of packets lost, such as 1%."""
    duplicate: Annotated[str, written(grammar.parse_percent)] | None = None
    """impair: share of packets that arrive twice, such as 0.1%."""
    corrupt: Annotated[str, written(grammar.parse_percent)] | None = None
    """impair: share of packets with a wrong bit, such as 0.1%."""
    rate: Annotated[str, written(grammar.parse_bandwidth)] | None = None
    """impair: bandwidth each way, such as 10mbit."""
    one_way: bool | None = None
    """partition, impair: only packets from the first side to the second."""
    share: Annotated[str, written(grammar.parse_percent)] | None = None
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
    problem: Problem | None = None
    """certificate: what is wrong with it (default: expired)."""
    skew: Annotated[str, written(grammar.parse_skew)] | None = None
    """clock: how far it is ahead, such as 25h, or behind, such as -25h."""
    hold: Seconds | None = Field(default=None, alias="for")
    """Heal the fault this long after it came into force. Without it `heal`, or the end of the run, does."""
    heal: str | None = None
    """Heal the fault of the step of this name, or `all`."""
    apply: str | None = None
    """Apply Kubernetes YAML: a file or folder, relative to this file, or the YAML itself (a block of text,
    `|`). It stays applied."""
    run: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Run a program (an argument list) that must end with code 0. KUBECONFIG is the lab's, and its contexts
    are $LAB-<cluster>; kubectl and lab are those of this installation."""

    @property
    def lasts(self) -> bool:
        """Whether this is a fault that stands until it is healed."""
        return self.fault is not None and lasts(self.fault, {"restart": self.restart})

    def _told(self, option: str) -> str:
        flag, word = f"--{option.replace('_', '-')}", str(getattr(self, option))
        if option in FLAGS:
            return flag
        return f"{flag}={word}" if word.startswith("-") else f"{flag} {word}"

    @property
    def words(self) -> str:
        """What is done, as the command line would say it."""
        if self.fault:
            values = [getattr(self, word) for word in FAULT_WORDS[self.fault] if getattr(self, word)]
            flags = [word for word in FAULT_OPTIONS.get(self.fault, ()) if getattr(self, word)]
            return " ".join([f"fault.{self.fault}", *values, *map(self._told, flags)])
        if self.heal:
            return f"heal {self.heal}"
        if self.apply:
            return "apply " + ("objects" if grammar.is_inline(self.apply) else PurePath(self.apply).name)
        if self.run:
            return f"run {' '.join(self.run)}"
        return next((f"{len(inner)} {word}" for word, inner in self.groups), "wait")

    @property
    def groups(self) -> list[tuple[str, tuple["Step", ...]]]:
        """The steps inside this one that are its action, by their word."""
        found = (("steps", self.steps), ("parallel", self.parallel), ("any", self.any))
        return [(word, inner) for word, inner in found if inner]

    def walk(self, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], "Step"]]:
        """This step and all inside it, each with its place below `path`."""
        yield path, self
        for word, inner in (*self.groups, ("otherwise", self.otherwise)):
            for index, step in enumerate(inner):
                yield from step.walk((*path, word, index))


Verdict = Literal["held", "failed"]


class Scenario(Part):
    """Steps, and expectations about what callers see meanwhile. `lab run` gives the verdict."""

    title: str = ""
    """What it shows, in one sentence."""
    seed: int = Field(default=0, ge=0)
    """Decides what is left to chance: which step of `any` is done, how long a pause with `varies` is.
    Programs of steps and probes find it in LAB_SEED. `lab run --seed` overrides it."""
    steady: Steady = Steady()
    """What must hold before the first step."""
    probes: Mapping[Label, Probe] = {}
    """What is looked at beside the traffic, by name."""
    steps: tuple[Step, ...] = ()
    """What is done, in this order."""
    length: Seconds | None = Field(default=None, alias="for")
    """How long the run takes. Default: until two seconds after the last step."""
    expect: tuple[Expectation, ...] = ()
    """What must have held."""
    verdict: Verdict | None = None
    """held or failed: the verdict that it is known to give, as of a bug; `lab run` says when it came out
    otherwise. The exit code is that of the verdict itself."""
