"""Reads Linkerd's own metrics from the Prometheus text of mirrors and proxies. Pure.

Names and labels are those that Linkerd documents; the embedded mesh exposes the same.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from lab.observe.facts import GatewayProbe

GATEWAY = ("gateway_alive", "gateway_latency", "gateway_enabled")


def series(text: str, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Labels and value of each series of a metric, under the name by which it is exposed.

    Some of Linkerd's counters (gateway_probes) lack the ending _total, which the parser then adds.
    """
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name or (family.type == "counter" and sample.name == f"{name}_total"):
                yield sample.labels, sample.value


def gateway_probes(text: str) -> Mapping[str, GatewayProbe]:
    """Gateway probes by target cluster. A mirror that has not probed yet contributes nothing, nor does one
    whose link has no gateway: it says so in gateway_enabled, and what it says of life is then void."""
    values: dict[str, dict[str, float]] = {}
    for name in GATEWAY:
        for labels, value in series(text, name):
            values.setdefault(labels.get("target_cluster_name", ""), {})[name] = value
    return {
        target: GatewayProbe(alive=seen["gateway_alive"] > 0, latency_ms=seen.get("gateway_latency"))
        for target, seen in values.items()
        if "gateway_alive" in seen and seen.get("gateway_enabled", 1) > 0
    }
