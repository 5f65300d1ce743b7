"""What happened between two states, in words for the events pane. Pure."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from lab.observe.state import Event, LabState, Service

GOOD = 0.99
Tone = Literal["good", "bad", "plain"]


@dataclass(frozen=True)
class Happening:
    time: str
    tone: Tone
    where: str
    text: str


def changes(old: LabState | None, new: LabState) -> list[Happening]:
    """New Kubernetes events and every change of a cluster, link, fault or flow of traffic, oldest first."""
    known = set(map(_identity, old.events)) if old else set()
    fresh = [_from_event(e) for e in reversed(new.events) if _identity(e) not in known]
    if old is None:
        return fresh
    clock = time.strftime("%H:%M:%S", time.localtime(new.time))
    found = chain(_clusters(old, new), _links(old, new), _faults(old, new), _traffic(old, new))
    return [*fresh, *(Happening(clock, tone, where, text) for tone, where, text in found)]


def _identity(event: Event) -> tuple[str, str, str, str]:
    return event.time, event.cluster, event.where, event.reason


def _from_event(event: Event) -> Happening:
    tone: Tone = "bad" if event.kind == "Warning" else "plain"
    repeated = f" (x{event.count})" if event.count > 1 else ""
    text = f"{event.where}: {event.reason}: {event.message}{repeated}"
    return Happening(event.time[11:19], tone, event.cluster, text)


Found = Iterator[tuple[Tone, str, str]]


def _tone(state: str) -> Tone:
    return "good" if state in ("ready", "up") else "bad"


def _clusters(old: LabState, new: LabState) -> Found:
    before = {cluster.name: cluster.state for cluster in old.clusters}
    for cluster in new.clusters:
        was = before.get(cluster.name, "not there")
        if was != cluster.state:
            yield _tone(cluster.state), cluster.name, f"cluster {was} → {cluster.state}"


def _links(old: LabState, new: LabState) -> Found:
    before = {(link.from_, link.to): link.state for link in old.links}
    for link in new.links:
        was = before.pop((link.from_, link.to), "not there")
        if was != link.state:
            reason = f": {link.reason}" if link.reason else ""
            yield _tone(link.state), f"{link.from_}→{link.to}", f"link {was} → {link.state}{reason}"
    for source, target in before:
        yield "plain", f"{source}→{target}", "link removed"


def _faults(old: LabState, new: LabState) -> Found:
    before = {fault.id: fault for fault in old.faults}
    for fault in new.faults:
        if fault.id not in before:
            yield "bad", fault.target, f"fault {fault.id} ({fault.kind}) {fault.state}"
    for gone in before.keys() - {fault.id for fault in new.faults}:
        yield "good", before[gone].target, f"fault {gone} healed"


def _traffic(old: LabState, new: LabState) -> Found:
    before = {(s.cluster, s.traffic): s for s in old.services}
    for service in new.services:
        was = before.get((service.cluster, service.traffic))
        if was is None:
            continue
        where = f"{service.cluster}→{service.traffic}"
        if main_answerer(was) != main_answerer(service) and main_answerer(service) and main_answerer(was):
            yield "plain", where, f"traffic moved from {main_answerer(was)} to {main_answerer(service)}"
        if is_good(was) is True and is_good(service) is False:
            yield "bad", where, f"success fell to {service.success or 0:.1%}"
        if is_good(was) is False and is_good(service) is True:
            yield "good", where, f"success back at {service.success or 0:.1%}"


def main_answerer(service: Service) -> str:
    """The cluster that answers most."""
    return max(service.answered_by, key=service.answered_by.__getitem__, default="")


def is_good(service: Service) -> bool | None:
    return None if service.success is None else service.success >= GOOD
