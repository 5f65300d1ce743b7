"""Judges gathered facts: Observation in, LabState out. Pure; `gather` and the caller did the reading.

Each kind of thing is judged in its own module; this one joins them and adds the verdict.
"""

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from lab.kube import objects
from lab.kube.objects import Object
from lab.observe import clusters, links, trust, verdict
from lab.observe.facts import KubeFacts, Observation
from lab.observe.state import Event, LabHealth, LabState, Problem, Service

EVENTS_KEPT = 50
NOTHING = KubeFacts(error="not asked")


def build(seen: Observation) -> LabState:
    """The state of the lab, problems included."""
    judged = tuple(
        clusters.cluster(fact, seen.kube.get(fact.name, NOTHING), seen.faults) for fact in seen.clusters
    )
    state = LabState(
        lab=seen.lab,
        engine=seen.engine,
        state="ready",
        time=seen.time,
        clusters=judged,
        links=links.links(seen, {cluster.name: cluster for cluster in judged}),
        services=tuple(services(seen)),
        faults=seen.faults,
        events=events(seen),
    )
    problems = (*verdict.problems(state), *trust.problems(seen), *pod_problems(seen))
    return replace(state, problems=problems, state=_health(state, bool(problems)))


def _health(state: LabState, has_problems: bool) -> LabHealth:
    if state.clusters and all(c.state in ("unreachable", "down", "paused") for c in state.clusters):
        return "down"
    return "degraded" if has_problems else "ready"


def pod_problems(seen: Observation) -> Iterable[Problem]:
    for name, facts in seen.kube.items():
        yield from verdict.pod_problems(name, facts.pods)


def services(seen: Observation) -> Iterable[Service]:
    """One row per load generator and target, in the order of clusters and names."""
    for fact in seen.clusters:
        rows: dict[str, Service] = {}
        for stats in seen.kube.get(fact.name, NOTHING).traffic:
            for traffic, figures in (stats.get("targets") or {}).items():
                rows[traffic] = service(fact.name, traffic, figures)
        yield from (rows[traffic] for traffic in sorted(rows))


def service(cluster: str, traffic: str, figures: Object) -> Service:
    url = str(figures.get("url", ""))
    name, _, rest = (urlsplit(url).hostname or traffic).partition(".")
    return Service(
        cluster=cluster,
        namespace=rest.partition(".")[0],
        name=name,
        traffic=traffic,
        url=url,
        rate=float(figures.get("rate") or 0.0),
        success=figures.get("success"),
        p50_ms=figures.get("p50Ms"),
        p99_ms=figures.get("p99Ms"),
        answered_by=dict(figures.get("answeredBy") or {}),
        identity_seen=tuple(figures.get("identitySeen") or ()),
        errors=dict(figures.get("errors") or {}),
    )


def events(seen: Observation) -> tuple[Event, ...]:
    """The newest Kubernetes events of all clusters, newest first."""
    found = [event(name, obj) for name, facts in seen.kube.items() for obj in facts.events]
    return tuple(sorted(found, key=lambda e: e.time, reverse=True)[:EVENTS_KEPT])


def event(cluster: str, obj: Object) -> Event:
    about = obj.get("involvedObject") or {}
    place = [about.get("namespace"), about.get("name")]
    return Event(
        time=event_time(obj),
        cluster=cluster,
        kind="Warning" if obj.get("type") == "Warning" else "Normal",
        where=f"{about.get('kind', '?')} {'/'.join(part for part in place if part)}",
        reason=str(obj.get("reason") or ""),
        message=" ".join(str(obj.get("message") or "").split()),
        count=int(obj.get("count") or 1),
    )


def event_time(obj: Object) -> str:
    """When it last happened, whichever of the API's fields says so."""
    series = (obj.get("series") or {}).get("lastObservedTime")
    times = (series, obj.get("lastTimestamp"), obj.get("eventTime"), obj.get("firstTimestamp"))
    return str(next((time for time in times if time), objects.meta(obj).get("creationTimestamp", "")))
