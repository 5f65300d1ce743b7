"""Connections made with good certificates end when a fault says so: real Envoys, real certificates."""

from datetime import timedelta
from typing import Any

import pytest

from lab.controlplane.identity.names import workload_name
from tests.mesh.xds.test_policy import gate as gate

CUT = {
    "apiVersion": "fault.multicluster.lab/v1alpha1",
    "kind": "CertificateFault",
    "metadata": {"name": "one", "namespace": "shop"},
    "spec": {"podSelector": {}, "problem": "expired", "cutConnections": True},
}


@pytest.mark.parametrize("account", ["web", "default"], ids=["client", "server"])
async def test_an_expired_certificate_shows_once_connections_are_cut_and_a_good_one_mends_it(
    gate: Any, account: str
) -> None:
    found = await gate()
    assert await found.meshed() == 200
    found.bench.authority.certify(workload_name(account, "shop"), ago=timedelta(hours=2))
    assert [await found.meshed() for _ in range(20)] == [200] * 20  # by the connection that is there
    found.load(CUT)
    await found.settle(503)
    found.bench.authority.certify(workload_name(account, "shop"))
    await found.settle(200)
