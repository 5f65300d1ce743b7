"""Reads what a service mirror measures of its target's gateway from its Prometheus text. Pure."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from lab.observe.facts import GatewayProbe


def gateway_probes(text: str) -> Mapping[str, GatewayProbe]:
    """Gateway probes by target cluster; a mirror that has not probed yet contributes nothing."""
    values: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in ("gateway_alive", "gateway_latency"):
                target = sample.labels.get("target_cluster_name", "")
                values.setdefault(target, {})[sample.name] = sample.value
    return {
        target: GatewayProbe(alive=seen["gateway_alive"] > 0, latency_ms=seen.get("gateway_latency"))
        for target, seen in values.items()
        if "gateway_alive" in seen
    }
