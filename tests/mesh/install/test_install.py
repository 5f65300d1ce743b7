"""Installing the embedded mesh into a real API server."""

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from lab.base.state import LabDir
from lab.controlplane.identity.authority import issuer_of
from lab.kube.errors import ApiError
from lab.kube.kinds import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    KNOWN,
    MUTATING_WEBHOOKS,
    PODS,
    ROLES,
    SECRETS,
    SERVERS,
    Kind,
)
from lab.kube.objects import name, resource_version, spec
from lab.mesh.builtin import manifests
from lab.mesh.builtin.apply import apply_all, apply_waves, kind
from lab.mesh.builtin.link_objects import Target, link, objects
from lab.mesh.builtin.mesh import BuiltinMesh
from lab.mesh.protocol import LinkSpec, MeshCluster
from lab.mesh.trust import lab_anchor

Object = dict[str, Any]
FOLDERS = ("crds", "linkerd", "linkerd-multicluster")


@pytest.fixture
def lab(tmp_path: Path) -> LabDir:
    return LabDir(tmp_path / "lab")


async def test_the_control_plane_and_the_extension_are_there_after_installing(
    cluster: MeshCluster, lab: LabDir
) -> None:
    await BuiltinMesh(lab).install(cluster)
    found = {name(d) for ns in ("linkerd", "linkerd-multicluster") for d in await deployments(cluster, ns)}
    assert found == {
        "linkerd-identity",
        "linkerd-destination",
        "linkerd-proxy-injector",
        "linkerd-gateway",
        "linkerd-local-service-mirror",
    }


async def deployments(cluster: MeshCluster, namespace: str) -> list[Object]:
    return await cluster.client.list(DEPLOYMENTS, namespace)


async def test_the_issuer_chains_to_the_anchor_that_all_clusters_of_the_lab_share(
    cluster: MeshCluster, lab: LabDir
) -> None:
    await BuiltinMesh(lab).install(cluster)
    secret = await cluster.client.get(SECRETS, "linkerd-identity-issuer", "linkerd")
    roots = await cluster.client.get(CONFIG_MAPS, "linkerd-identity-trust-roots", "linkerd")
    assert issuer_of(secret, lab_anchor(lab).certificate)
    assert roots["data"]["ca-bundle.crt"] == lab_anchor(lab).certificate.decode()


async def test_the_webhooks_authority_vouches_for_the_injectors_certificate(
    cluster: MeshCluster, lab: LabDir
) -> None:
    await BuiltinMesh(lab).install(cluster)
    hook = await cluster.client.get(MUTATING_WEBHOOKS, "linkerd-proxy-injector-webhook-config")
    secret = await cluster.client.get(SECRETS, "linkerd-proxy-injector-k8s-tls", "linkerd")
    bundle = x509.load_pem_x509_certificate(base64.b64decode(hook["webhooks"][0]["clientConfig"]["caBundle"]))
    leaf = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    leaf.verify_directly_issued_by(bundle)


async def test_installing_again_writes_nothing(cluster: MeshCluster, lab: LabDir) -> None:
    mesh = BuiltinMesh(lab)
    await mesh.install(cluster)
    before = await versions(cluster)
    await BuiltinMesh(lab).install(cluster)
    assert await versions(cluster) == before


async def versions(cluster: MeshCluster) -> dict[str, str]:
    """Resource versions of what nobody but the installer writes."""
    wanted: list[Kind] = [SECRETS, CONFIG_MAPS, ROLES, CLUSTER_ROLES, MUTATING_WEBHOOKS, CRDS, SERVERS]
    return {
        f"{kind.kind}/{name(obj)}": resource_version(obj)
        for kind in wanted
        for obj in await cluster.client.list(kind)
    }


async def test_a_stopped_component_is_a_finding_with_its_name(cluster: MeshCluster, lab: LabDir) -> None:
    mesh = BuiltinMesh(lab)
    await mesh.install(cluster)
    await cluster.client.patch(DEPLOYMENTS, "linkerd-identity", {"spec": {"replicas": 0}}, "linkerd")
    findings = [f for f in await mesh.check([cluster]) if f.where.startswith("west linkerd/")]
    assert [f.where for f in findings if not f.ok] == ["west linkerd/linkerd-identity"]


async def test_an_object_of_an_unknown_kind_is_refused_by_name(cluster: MeshCluster) -> None:
    odd = {"apiVersion": "example.org/v1", "kind": "Odd", "metadata": {"name": "x", "namespace": "y"}}
    with pytest.raises(ApiError, match=r"example\.org/v1 Odd y/x: unknown kind"):
        await apply_all(cluster.client, [odd])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_is_of_a_kind_the_client_knows(folder: str) -> None:
    assert {kind(obj) for obj in manifests.documents(folder)} <= set(KNOWN)


TARGET = Target("east", "https://172.28.0.11:6443", "CA", "token", ("172.28.0.11",))


@pytest.mark.parametrize(
    ("modes", "selectors"),
    [
        pytest.param({"gateway"}, {"selector"}, id="gateway"),
        pytest.param({"flat"}, {"remoteDiscoverySelector"}, id="flat"),
        pytest.param({"gateway", "flat"}, {"selector", "remoteDiscoverySelector"}, id="mixed"),
        pytest.param({"federated"}, {"federatedServiceSelector"}, id="federated"),
    ],
)
def test_a_link_has_a_selector_for_each_mode_it_carries(modes: set[Any], selectors: set[str]) -> None:
    found = {
        key for key in link(TARGET, LinkSpec(frozenset(modes)))["spec"] if key.lower().endswith("selector")
    }
    assert found == selectors


def test_a_flat_link_names_no_gateway() -> None:
    made = link(TARGET, LinkSpec(frozenset({"flat"})))
    assert (made["spec"]["gatewayAddress"], "probeSpec" in made["spec"]) == ("", False)


@pytest.mark.parametrize(
    ("profile", "called"), [("latest", "controller-east"), ("2.14", "linkerd-service-mirror-east")]
)
def test_the_controllers_name_follows_the_profile(profile: str, called: str) -> None:
    made = objects(TARGET, LinkSpec(), profile)
    assert [name(obj) for obj in made if obj["kind"] == "Deployment"] == [called]


def test_the_controller_is_told_which_bugs_to_have() -> None:
    made = objects(TARGET, LinkSpec(emulate=("headless-mirrors-collected",)), "2.14")
    (deployment,) = (obj for obj in made if obj["kind"] == "Deployment")
    assert (
        "--emulate=headless-mirrors-collected"
        in spec(deployment)["template"]["spec"]["containers"][0]["args"]
    )


def test_a_damaged_trust_anchor_is_reported_with_its_folder(lab: LabDir) -> None:
    lab_anchor(lab)
    (lab.pki / "trust-anchor.key").write_text("not a key")
    with pytest.raises(Exception, match=r"trust anchor in .* is damaged"):
        lab_anchor(lab)


async def test_pods_are_refused_while_the_injector_is_away(cluster: MeshCluster) -> None:
    """Linkerd's webhook lets them through without a proxy by default."""
    objects = [obj for obj in manifests.documents("linkerd") if kind(obj) != DEPLOYMENTS]
    await apply_waves(cluster.client, objects)
    container = {"name": "app", "image": "example.com/app:1"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    with pytest.raises(ApiError, match="failed calling webhook"):
        await cluster.client.create(PODS, pod, "default")
