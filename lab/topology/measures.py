"""What can be asked of traffic and probes in a scenario, and when it must hold. Pure.

`scenario` builds on it; `lab.scenarios.judge` answers.
"""

from collections.abc import Mapping

from pydantic import Field

from lab.topology.bounds import LatencyBound, NumberBound, SuccessBound, Value
from lab.topology.part import Label, Part, Seconds
from lab.topology.words import GrpcStatuses, Names, Policy, Statuses, TrafficName, Workload


class Measures(Part):
    """What can be asked of traffic or of a probe. Each measure that is given must hold."""

    traffic: TrafficName | None = None
    """Whose calls are judged: CLUSTER/TRAFFIC, a generator of `traffic:` by its name or, without one, the
    host it calls with dashes (west/front-shop)."""
    success: SuccessBound | None = None
    """Share of calls that were answered without an error: ">= 99.9%"."""
    p50: LatencyBound | None = None
    """Median latency, counted from when the schedule wanted the call sent: "<= 20ms"."""
    p99: LatencyBound | None = None
    """99th percentile of the same: "<= 200ms"."""
    faster_than: TrafficName | None = None
    """The median latency is below that of this other traffic in the same window."""
    outage: LatencyBound | None = None
    """The longest time without a good answer, from when the first call that failed was due to when the
    first that was answered again was: "<= 2s"."""
    answered_by: Names | None = None
    """The clusters that answered: exactly these."""
    share: Mapping[str, SuccessBound] | None = Field(default=None, min_length=1)
    """Share of the answers by cluster: {west: ">= 99%"}. Traffic with `failover` strays now and then."""
    identity: Names | None = None
    """Identities that the answering app saw calling: exactly these; * stands for any text."""
    status: Statuses | None = None
    """HTTP statuses of the answers: exactly these."""
    grpc_status: GrpcStatuses | None = None
    """gRPC statuses of the calls, by name: exactly these."""
    policy: Policy | None = None
    """denied: every call was refused by policy (HTTP 403 and gRPC PERMISSION_DENIED that no app gave; a TCP
    connection closed at once). allowed: none was."""
    probe: Label | None = None
    """Instead of `traffic`: a probe of `probes:`, whose values are judged."""
    value: Value | None = None
    """What every value must be: a number or a bound (1, ">= 2"), or text ("True", * stands for any)."""
    delta: NumberBound | None = None
    """By how much the last value must differ from the first: "<= 3"."""
    changes: NumberBound | None = None
    """How often a value may differ from the one seen before it. "= 0": it stays what it was."""


class When(Measures):
    """What a step waits for. All that is given must hold at once."""

    ready: Workload | None = None
    """CLUSTER/NAMESPACE/DEPLOYMENT: it has all its pods, ready."""
    over: Seconds = 1.0
    """How long it must have held, counted from when the waiting began."""
    within: Seconds = 30.0
    """How long to wait. After that the run ends and has failed, unless the step says `otherwise`."""


class Expectation(Measures):
    """What must have held in a window of the run; without one, in all of it. A step that was done several
    times has as many windows, which are judged together. `after` one step and `before` another is the time
    between them."""

    no_errors_in: Label | None = None
    """Instead of `traffic`: no call of any traffic from this cluster failed."""
    during: Label | None = None
    """The window: while the fault of this step was in force."""
    before: Label | None = None
    """The window: until this step began."""
    after: Label | None = None
    """The window: from when this step was over (a fault: healed) to the end."""
    skip: Seconds = 0.0
    """Leave out the beginning of the window: time to react. With `during` it counts from when the fault was
    in force, however long that took."""
    shift_within: Seconds | None = None
    """With `during`: from this long after the fault began, every call was answered, and by other clusters
    than those that answered before it (at least one call in ten of the two seconds before)."""
    failback_within: Seconds | None = None
    """With `during`: from this long after the fault was healed, every call was answered, and 99 % of them by
    those that answered before it."""
    detect_within: Seconds | None = None
    """With `during` and a probe's `value`: so long after the fault began it came to be that value, which it
    was not before."""
