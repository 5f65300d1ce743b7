"""The policy kinds as the API server serves them: versions, defaults, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from lab.kube.errors import ApiError, NotFound
from lab.kube.kinds import MESH_TLS_AUTHENTICATIONS, SERVER_AUTHORIZATIONS, SERVERS, Kind
from lab.mesh.builtin import manifests
from lab.mesh.builtin.apply import apply_waves
from lab.mesh.protocol import MeshCluster

PODS = {"podSelector": {"matchLabels": {"app": "x"}}}


@pytest.fixture
async def served(cluster: MeshCluster) -> MeshCluster:
    await apply_waves(cluster.client, manifests.documents("crds"))
    return cluster


def of(kind: Kind, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}, "spec": spec}


async def test_a_server_of_an_older_version_reads_as_the_newest(served: MeshCluster) -> None:
    older = replace(SERVERS, version="v1beta1")
    await served.client.create(older, of(older, {**PODS, "port": "http"}), "default")
    found = await served.client.get(SERVERS, "x", "default")
    assert found["apiVersion"] == SERVERS.api_version
    assert found["spec"].items() >= {**PODS, "port": "http", "proxyProtocol": "unknown"}.items()


@pytest.mark.parametrize(
    ("kind", "spec", "names"),
    [
        (SERVERS, {**PODS, "port": 80, "accessPolicy": "allow"}, "spec.accessPolicy"),
        (SERVERS, {**PODS, "port": 80, "proxyProtocol": "HTTP"}, "spec.proxyProtocol"),
        (SERVERS, {"port": 80}, "spec"),
        (replace(SERVERS, version="v1beta1"), {"port": 80}, "spec.podSelector"),
        (SERVER_AUTHORIZATIONS, {"server": {}, "client": {}}, "spec.server"),
        (MESH_TLS_AUTHENTICATIONS, {"identities": ["*web"]}, "spec.identities"),
        (MESH_TLS_AUTHENTICATIONS, {}, "spec"),
    ],
)
async def test_what_is_no_policy_is_refused_by_the_name_of_the_field(
    served: MeshCluster, kind: Kind, spec: dict[str, Any], names: str
) -> None:
    with pytest.raises(ApiError, match=names):
        await served.client.create(kind, of(kind, spec), "default")


@pytest.mark.parametrize(
    ("group", "version", "plural"),
    [
        ("policy.linkerd.io", "v1alpha1", "httplocalratelimitpolicies"),
        ("policy.linkerd.io", "v1alpha1", "egressnetworks"),
        ("linkerd.io", "v1alpha2", "serviceprofiles"),
    ],
)
async def test_kinds_of_linkerd_that_the_lab_lacks_are_not_served(
    served: MeshCluster, group: str, version: str, plural: str
) -> None:
    with pytest.raises(NotFound):
        await served.client.list(Kind(group, version, "Any", plural), "default")
