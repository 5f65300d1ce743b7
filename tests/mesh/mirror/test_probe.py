"""When a gateway counts as alive, in each profile."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lab.controlplane.admin import Metrics
from lab.controlplane.mirror.link import ProbeSpec
from lab.controlplane.mirror.probe import Liveness, Profile, declare, observe

# Observations (1 success, 0 failure) and what is announced after each ("+" alive, "-" dead, "." nothing).
SEQUENCES = {
    "first success": ("latest", "1", "+"),
    "one failure is forgiven": ("latest", "101", "+.."),
    "two failures are forgiven": ("latest", "1001", "+..."),
    "three in a row": ("latest", "1000", "+..-"),
    "failures are counted in a row": ("latest", "1001001000", "+........-"),
    "dead is said once": ("latest", "100000", "+..-.."),
    "one success revives": ("latest", "10001", "+..-+"),
    "dead from the start": ("latest", "000", "..-"),
    "2.14: one failure kills": ("2.14", "10", "+-"),
    "2.14: dead from the start": ("2.14", "0", "-"),
}


def announced(state: Liveness, threshold: int, observations: str) -> str:
    told = ""
    for seen in observations:
        verdict = observe(state, success=seen == "1", threshold=threshold)
        state = verdict.state
        told += ("+" if state.alive else "-") if verdict.changed else "."
    return told


@pytest.mark.parametrize("case", SEQUENCES)
def test_verdicts_follow_the_profile(case: str) -> None:
    version, observations, expected = SEQUENCES[case]
    profile = Profile(version)
    threshold = profile.probe(ProbeSpec()).failure_threshold
    assert announced(profile.first_liveness(), threshold, observations) == expected


def test_the_emulated_bug_never_announces_a_gateway_that_is_dead_at_the_start() -> None:
    profile = Profile("latest", bugs=frozenset({"restart-vs-dead-gateway"}))
    assert announced(profile.first_liveness(), 3, "000000") == "......"


def test_the_emulated_bug_still_announces_later_deaths() -> None:
    profile = Profile("latest", bugs=frozenset({"restart-vs-dead-gateway"}))
    assert announced(profile.first_liveness(), 3, "01000") == ".+..-"


@pytest.mark.parametrize(
    ("version", "observations", "failures"),
    [("latest", "0000", 2), ("2.14", "0000", 4)],
    ids=["latest counts from the threshold on", "2.14 counts all"],
)
def test_failed_probes_are_counted_as_upstream_does(version: str, observations: str, failures: int) -> None:
    threshold = Profile(version).probe(ProbeSpec()).failure_threshold
    state, counted = Liveness(), 0
    for seen in observations:
        verdict = observe(state, success=seen == "1", threshold=threshold)
        state = verdict.state
        counted += verdict.counts_as_failure
    assert counted == failures


def test_2_14_ignores_the_probe_settings_it_did_not_know() -> None:
    spec = Profile("2.14").probe(ProbeSpec(timeout=1, failure_threshold=9))
    assert (spec.timeout, spec.failure_threshold) == (50.0, 1)


def test_probe_latencies_are_a_histogram_by_target_cluster() -> None:
    metrics = Metrics()
    declare(metrics)
    for milliseconds in (2.5, 2.5, 700):
        metrics.observe("gateway_probe_latency_ms", milliseconds, target_cluster_name="east")
    families = {family.name: family for family in text_string_to_metric_families(metrics.text())}
    family = families["gateway_probe_latency_ms"]
    assert family.type == "histogram"
    seen = {(s.name, s.labels.get("le")): s.value for s in family.samples}
    assert [seen["gateway_probe_latency_ms_bucket", le] for le in ("2", "3", "500", "1000", "+Inf")] == [
        0,
        2,
        2,
        3,
        3,
    ]
    assert seen["gateway_probe_latency_ms_sum", None] == 705
