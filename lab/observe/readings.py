"""What one proxy counted of inbound traffic: reads its Prometheus text, and compares two scrapes. Pure.

Names and labels are those of Linkerd's proxy; the embedded mesh exposes the same. What the proxy was asked
about itself (port 4191) and the kubelet's probes are left out, as nobody's traffic.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

ADMIN_PORT = "4191"
RESPONSES, LATENCIES, CONNECTIONS = "response_total", "response_latency_ms_bucket", "tcp_open_connections"
_WANTED = tuple(f"{name}{{" for name in (RESPONSES, LATENCIES, CONNECTIONS))

Series = tuple[str, frozenset[tuple[str, str]]]
"""Name and labels of one time series."""


@dataclass(frozen=True)
class Reading:
    """One scrape of one proxy at `time` (seconds of any clock): each series of inbound traffic."""

    time: float
    values: Mapping[Series, float]


def reading(text: str, time: float) -> Reading:
    """The series of inbound traffic in a proxy's Prometheus text.

    Lines of other families go first: a busy proxy has thousands, and the parser takes its time.
    """
    lines = [line for line in text.splitlines() if line.startswith(_WANTED) and '="inbound"' in line]
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    samples = (sample for family in families for sample in family.samples)
    return Reading(
        time, {(s.name, frozenset(s.labels.items())): s.value for s in samples if _is_traffic(s.labels)}
    )


def _is_traffic(labels: Mapping[str, str]) -> bool:
    """Inbound, and of somebody who wants something of the app. The kubelet's probes are on a route that
    Linkerd makes up for them."""
    is_probe = labels.get("route_name") == "probe" and labels.get("route_kind", "default") == "default"
    return labels.get("direction") == "inbound" and labels.get("target_port") != ADMIN_PORT and not is_probe


def increases(earlier: Reading, later: Reading) -> Iterable[tuple[Series, float]]:
    """By how much each counter rose, as Prometheus counts it: one that fell began anew at nothing with its
    proxy; one that is gone has been forgotten and adds nothing."""
    for series, value in later.values.items():
        if series[0] != CONNECTIONS:
            before = earlier.values.get(series, 0.0)
            yield series, value - before if value >= before else value


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The value that this share of observations does not exceed, as Prometheus' histogram_quantile has it.

    `buckets` are cumulative counts by upper bound, the infinite one included. Within a bucket values are
    taken to lie evenly; beyond the last finite bound nothing is known, and that bound is the answer.
    """
    counts, highest = [], 0.0
    for bound in sorted(buckets):
        highest = max(highest, buckets[bound])  # of a proxy that was restarted some counters are told to fall
        counts.append((bound, highest))
    if len(counts) < 2 or counts[-1][0] != math.inf or not highest:
        return None
    rank, below, lower = share * highest, 0.0, 0.0
    for bound, count in counts:
        if count >= rank:
            return lower if bound == math.inf else lower + (bound - lower) * (rank - below) / (count - below)
        below, lower = count, bound
    return lower
