"""Probes of a scenario: what is looked at again and again beside the traffic. Pure.

Each gives one value at a time: a number, or text. `lab.scenarios.sampling` takes them.
"""

from collections.abc import Mapping

from pydantic import Field

from lab.topology.part import Label, Part, Seconds
from lab.topology.words import JsonPath


class ObjectOf(Part):
    """A Kubernetes object of one cluster."""

    cluster: Label
    """Where it is."""
    kind: str
    """Its kind, such as Deployment; for one that the lab does not know, APIVERSION/KIND, such as
    cert-manager.io/v1/Issuer."""
    namespace: str = ""
    """Its namespace; nothing for objects that have none."""
    name: str
    """Its name."""


class Condition(ObjectOf):
    """The status of a condition of an object: True, False or Unknown."""

    type: str
    """The condition, such as Available or Ready. Of a route, it must be the same for all parents; of a Link
    (Mirrored), for all services."""


class ValueOf(ObjectOf):
    """A field of an object."""

    path: JsonPath
    """Where it stands, as in kubectl's jsonpath: status.readyReplicas, subsets[*].addresses[*].ip. Several
    values are listed with commas."""


class Metric(Part):
    """A Prometheus metric of pods: the sum over all pods and series that fit."""

    cluster: Label
    """Where the pods are."""
    namespace: str
    """Their namespace."""
    pods: str
    """Their labels: app=front. The proxy's own metrics are at the default port."""
    port: int = Field(default=4191, ge=1, le=65535)
    """Port that serves the metrics, over HTTP."""
    path: str = "/metrics"
    """Path of the metrics."""
    name: str
    """Name of the metric, as it is exposed: http_requests_total."""
    labels: Mapping[str, str] = {}
    """Labels that a series must have; * stands for any text."""


class Output(Part):
    """What a program says."""

    run: tuple[str, ...] = Field(min_length=1)
    """The program (an argument list), which must end with code 0. It finds what the `run` of a step finds."""
    path: JsonPath | None = None
    """Take this part of the JSON that it says. Default: all it says."""


class Probe(Part):
    """One thing to look at. Exactly one of condition, field, metric and output."""

    every: Seconds = 0.5
    """How often: what happens in between is not seen."""
    condition: Condition | None = None
    """A condition of a Kubernetes object."""
    field: ValueOf | None = None
    """A field of a Kubernetes object."""
    metric: Metric | None = None
    """A metric of pods or their proxies."""
    output: Output | None = None
    """What a program says."""
