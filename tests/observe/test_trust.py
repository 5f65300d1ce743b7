"""What a lab's state says of certificates: the cause, the cluster and what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.controlplane.identity.certificates import Pair, issuer, trust_anchor
from lab.observe.build import build
from lab.observe.facts import Trust

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def anchor() -> Pair:
    return trust_anchor("root.linkerd.cluster.local", NOW)


SHARED, OTHER = anchor(), anchor()


def trust(signer: Pair, *anchors: Pair, made: datetime = NOW, life: timedelta = timedelta(days=365)) -> Trust:
    signed = issuer("identity.linkerd.cluster.local", signer, made, life)
    return Trust("".join(a.certificate.decode() for a in anchors or (signer,)), signed.certificate.decode())


def seen(observation: Any, make: Any, west: Trust | None, east: Trust | None) -> list[tuple[str, str]]:
    kube = {"west": make.kube("east", trust=west), "east": make.kube("west", trust=east)}
    state = build(observation(kube=kube, time=NOW.timestamp()))
    return [(problem.where, problem.what) for problem in state.problems]


@pytest.mark.parametrize(
    "pair",
    [
        (None, None),
        (trust(SHARED), trust(SHARED)),
        (trust(SHARED, SHARED, OTHER), trust(OTHER, SHARED, OTHER)),
    ],
    ids=["no mesh", "one anchor", "a bundle of both"],
)
def test_clusters_that_trust_each_other_are_no_problem(observation: Any, make: Any, pair: Any) -> None:
    assert seen(observation, make, *pair) == []


def test_different_anchors_are_named_for_both_directions(observation: Any, make: Any) -> None:
    found = seen(observation, make, trust(SHARED), trust(OTHER))
    assert [where for where, _ in found] == ["trust east -> west", "trust west -> east"]
    assert "west does not trust the certificates of east" in found[1][1]
    assert "root.linkerd.cluster.local" in found[1][1]


def test_a_bundle_on_one_side_only_works_in_that_direction_only(observation: Any, make: Any) -> None:
    found = seen(observation, make, trust(SHARED, SHARED, OTHER), trust(OTHER))
    assert [where for where, _ in found] == ["trust east -> west"]


def test_an_issuer_from_a_clock_that_is_ahead_is_named_with_the_difference(
    observation: Any, make: Any
) -> None:
    found = seen(observation, make, trust(SHARED, made=NOW + timedelta(hours=3)), trust(SHARED))
    assert [where for where, _ in found] == ["cluster west"]
    assert "is not valid before 2026-09-01T02:59:40Z, 2:59:40 from now: the clock that" in found[0][1]


def test_an_expired_issuer_is_named_with_its_end(observation: Any, make: Any) -> None:
    old = trust(SHARED, made=NOW - timedelta(days=2), life=timedelta(days=1))
    found = seen(observation, make, old, trust(SHARED))
    assert [where for where, _ in found] == ["cluster west"]
    assert "the issuer certificate expired at 2026-08-31T00:00:20Z" in found[0][1]


def test_an_issuer_that_its_own_cluster_does_not_trust_is_one_problem(observation: Any, make: Any) -> None:
    found = seen(observation, make, trust(OTHER, SHARED), trust(SHARED))
    assert [where for where, _ in found] == ["cluster west"]
    assert "not signed by any of its own trust anchors" in found[0][1]


def test_what_is_no_certificate_is_a_problem_of_its_cluster(observation: Any, make: Any) -> None:
    found = seen(observation, make, Trust("", "nonsense"), trust(SHARED))
    assert [where for where, _ in found] == ["cluster west"]
    assert "cannot be read" in found[0][1]
