"""Certificates that are wrong on purpose, from a served authority; only the API server is scripted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane.identity.certificates import CLOCK_SKEW, lifetime, problem_of
from lab.controlplane.identity.client import Workload
from lab.topology.fault_words import PROBLEMS
from tests.mesh.identity.conftest import NAME, Service

POD = {"metadata": {"name": "front-1", "namespace": "shop", "labels": {"app": "front"}}}


def fault(name: str, app: str = "front", born: str = "2026-01-01T00:00:00Z", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "CertificateFault",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": born},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, **spec},
    }


@pytest.fixture
def flawed(service: Service, tmp_path: Path) -> Any:
    """A workload of the pod, whose cluster has these faults."""

    def make(*faults: dict[str, Any]) -> Workload:
        service.reviews.pods = {("shop", "front-1"): POD}
        service.reviews.status["user"]["extra"] = {"authentication.kubernetes.io/pod-name": ["front-1"]}
        service.authority.faults = lambda namespace: faults if namespace == "shop" else ()
        return service.workload(tmp_path)

    return make


async def problem(workload: Workload) -> str:
    found = await workload.obtain()
    return problem_of(found.certificate, found.roots, NAME, datetime.now(UTC))


@pytest.mark.parametrize("asked", PROBLEMS)
async def test_a_selected_pod_gets_the_certificate_that_was_asked_for(flawed: Any, asked: str) -> None:
    assert await problem(flawed(fault("one", problem=asked))) == asked


async def test_other_pods_get_good_ones(flawed: Any) -> None:
    assert await problem(flawed(fault("one", app="stock", problem="expired"))) == ""


async def test_the_word_of_the_younger_fault_holds(flawed: Any) -> None:
    younger = fault("a", born="2026-02-02T00:00:00Z", problem="wrong-name")
    assert await problem(flawed(younger, fault("b", problem="expired"))) == "wrong-name"


@pytest.mark.parametrize("hours", [-2, 25])
async def test_a_clock_that_is_off_shows_in_when_certificates_begin(flawed: Any, hours: int) -> None:
    found = await flawed(fault("one", clockSkewSeconds=hours * 3600)).obtain()
    begins = lifetime(found.certificate)[0] + CLOCK_SKEW - datetime.now(UTC)
    assert abs(begins - timedelta(hours=hours)) < timedelta(seconds=5)


async def test_an_expired_certificate_is_not_renewed_again_and_again(flawed: Any) -> None:
    workload = flawed(fault("one", problem="expired"))
    await workload.obtain()
    assert workload.renew_at() > datetime.now(UTC) + timedelta(seconds=30)
