"""Linkerd's life in real API servers, from the first command to the last object gone.

The CLI is a stand-in that holds what it is called with against the CLI's own reference of flags.
"""

import base64
import json
from pathlib import Path

import pytest
import yaml

from lab.base.errors import EngineUnavailable, LabError
from lab.kube.client import Client, Request
from lab.kube.errors import NotFound
from lab.kube.kinds import (
    AUTHORIZATION_POLICIES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    LINKS,
    NAMESPACES,
    SECRETS,
    SERVICES,
)
from lab.kube.objects import name, spec
from lab.mesh.linkerd import find
from lab.mesh.linkerd.uninstall import uninstall
from lab.mesh.protocol import LinkSpec, MeshCluster, Mode, Task
from lab.mesh.select import mesh_of, release_of
from lab.mesh.trust import is_good, lab_anchor
from lab.ops.inventory import wished
from lab.topology.load import parse
from tests.mesh.linkerd.conftest import LATEST, OLD, TOPOLOGY, Rig, everything, install

FLAT: frozenset[Mode] = frozenset({"flat"})


async def controllers(cluster: MeshCluster) -> set[str]:
    found = await cluster.client.list(DEPLOYMENTS, "linkerd-multicluster")
    return {name(one) for one in found} - {"linkerd-gateway"}


async def up(rig: Rig, version: str = "latest") -> None:
    mesh = rig.mesh(version)
    for cluster in (rig.west, rig.east):
        await mesh.install(cluster)
    await mesh.link(rig.west, rig.east, LinkSpec())
    await mesh.link(rig.east, rig.west, LinkSpec())


async def test_the_newest_release_gets_managed_controllers_and_leaves_nothing_behind(rig: Rig) -> None:
    before = await everything(rig.west.client)
    await up(rig)
    assert await controllers(rig.west) == {"controller-east"}
    (link,) = await rig.west.client.list(LINKS, "linkerd-multicluster")
    assert spec(link)["gatewayAddress"] == "172.28.0.20"
    states = await rig.mesh().links(rig.west)
    assert [(one.target, one.spec.modes) for one in states] == [("east", {"gateway", "flat", "federated"})]
    verbs = [" ".join(words[1:3]) for words in rig.calls() if words[1] != "version"]
    identity = f"install --identity-trust-anchors-file={rig.dir.pki}/trust-anchor.crt"
    installed = ["install --crds", identity, "multicluster install"]
    assert verbs == [*installed, *installed, "multicluster link-gen", "multicluster link-gen"]
    await uninstall(rig.west, rig.dir)
    assert await everything(rig.west.client) - before == {"configmaps kube-system/multicluster-lab"}


@pytest.mark.slow
async def test_every_cluster_gets_an_issuer_of_its_own_from_the_anchor_of_the_lab(rig: Rig) -> None:
    mesh = rig.mesh()
    for cluster in (rig.west, rig.east):
        await mesh.install(cluster)
    secrets = [
        await cluster.client.get(SECRETS, "linkerd-identity-issuer", "linkerd")
        for cluster in (rig.west, rig.east)
    ]
    assert all(is_good(one, lab_anchor(rig.dir), ("crt.pem", "key.pem")) for one in secrets)
    assert secrets[0]["data"] != secrets[1]["data"]


@pytest.mark.slow
async def test_a_running_lab_is_upgraded_from_2_14_and_keeps_its_issuer_and_its_routes(rig: Rig) -> None:
    await up(rig, "2.14")
    assert await controllers(rig.west) == {"linkerd-service-mirror-east"}
    issuer = (await rig.west.client.get(SECRETS, "linkerd-identity-issuer", "linkerd"))["data"]
    await rig.west.client.get(CONFIG_MAPS, "only-in-this-release", "linkerd")
    await rig.west.client.get(AUTHORIZATION_POLICIES, "lab-reads-metrics", "linkerd-multicluster")
    assert {words[0] for words in rig.calls()[2:]} >= {OLD}

    await up(rig)

    used = [(words[0], words[1]) for words in rig.calls() if words[1] not in ("version", "multicluster")]
    assert used == 4 * [(LATEST, "upgrade")]
    assert await controllers(rig.west) == {"controller-east"}
    assert (await rig.west.client.get(SECRETS, "linkerd-identity-issuer", "linkerd"))["data"] == issuer
    with pytest.raises(NotFound):
        await rig.west.client.get(CONFIG_MAPS, "only-in-this-release", "linkerd")
    await uninstall(rig.east, rig.dir)
    assert not [one for one in await everything(rig.east.client) if "linkerd" in one]
    crd = json.loads(await rig.west.client.raw(Request("GET", "/apis/gateway.networking.k8s.io")))
    assert crd["preferredVersion"]["version"] == "v1"


@pytest.mark.slow
async def test_an_installation_that_was_interrupted_is_completed(rig: Rig) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "linkerd"}}
    await rig.west.client.create(NAMESPACES, space)
    await rig.mesh().install(rig.west)
    words = [words for words in rig.calls() if words[1] == "install"]
    assert all("--ignore-cluster" in call for call in words)


@pytest.mark.slow
async def test_a_link_that_is_taken_away_takes_its_controller_credentials_and_mirrors(rig: Rig) -> None:
    await up(rig)
    labels = {"mirror.linkerd.io/mirrored-service": "true", "mirror.linkerd.io/cluster-name": "east"}
    mirror = {"metadata": {"name": "front-east", "labels": labels}, "spec": {"ports": [{"port": 80}]}}
    await rig.west.client.create(SERVICES, mirror, "default")
    await rig.mesh(link="east -> west").unlink(rig.west, "east")
    assert await controllers(rig.west) == set()
    assert await rig.west.client.list(LINKS, "linkerd-multicluster") == []
    left = await rig.west.client.list(SECRETS, "linkerd")
    assert "cluster-credentials-east" not in map(name, left)
    assert "front-east" not in map(name, await rig.west.client.list(SERVICES, "default"))
    assert await controllers(rig.east) == {"controller-west"}


@pytest.mark.slow
async def test_a_link_without_a_gateway_needs_none_and_selects_only_what_it_carries(rig: Rig) -> None:
    mesh = rig.mesh(link="{from: west, to: east, modes: [flat]}")
    for cluster in (rig.west, rig.east):
        await mesh.install(cluster)
    await mesh.link(rig.west, rig.east, LinkSpec(FLAT))
    assert await rig.east.client.list(SERVICES, "linkerd-multicluster") == []
    (state,) = await mesh.links(rig.west)
    assert (state.spec.modes, state.gateway_addresses) == (FLAT, ())


@pytest.mark.slow
async def test_helm_installs_and_links_the_same_where_there_is_no_cli(rig: Rig, programs: Path) -> None:
    before = await everything(rig.west.client)
    (programs / "linkerd").unlink()
    install(programs, "helm", LATEST, "helm_stand_in")
    await up(rig)
    called = [words[:4] for words in rig.calls() if words[0] == "helm"]
    charts = ["linkerd-crds", "linkerd-control-plane", "linkerd-multicluster"]
    assert called == 2 * [["helm", "template", chart, chart] for chart in charts]
    assert await controllers(rig.west) == {"controller-east"}
    (link,) = await rig.west.client.list(LINKS, "linkerd-multicluster")
    assert spec(link)["gatewayAddress"] == "172.28.0.20"
    secret = await rig.west.client.get(SECRETS, "cluster-credentials-east", "linkerd")
    config = base64.b64decode(secret["data"]["kubeconfig"]).decode()
    async with await Client.from_kubeconfig_data(yaml.safe_load(config)) as remote:
        assert await remote.list(SERVICES)
    issuer = await rig.west.client.get(SECRETS, "linkerd-identity-issuer", "linkerd")
    assert is_good(issuer, lab_anchor(rig.dir), ("crt.pem", "key.pem"))
    assert all(one.ok for one in await rig.mesh().ready(rig.west))
    await uninstall(rig.west, rig.dir)
    assert await everything(rig.west.client) - before == {"configmaps kube-system/multicluster-lab"}


@pytest.mark.slow
async def test_a_lab_that_wants_no_mesh_any_more_has_it_taken_out(rig: Rig) -> None:
    before = await everything(rig.west.client)
    await rig.mesh().install(rig.west)
    topology = parse("{name: lab, engine: existing, mesh: none, clusters: {west: {}}}", "lab.yaml")
    await mesh_of(topology, rig.dir).install(rig.west)
    assert await everything(rig.west.client) - before == {"configmaps kube-system/multicluster-lab"}
    assert await release_of(topology) == ""


@pytest.mark.parametrize(("version", "release"), [("latest", LATEST), ("2.14", OLD)])
async def test_a_lab_wishes_for_the_release_that_is_here(programs: Path, version: str, release: str) -> None:
    wanted = await wished(parse(TOPOLOGY.format(version=version, link="west -> east"), "lab.yaml"))
    assert {one.version for one in wanted.mesh.values()} == {release}


async def test_without_any_program_up_says_what_is_missing_and_plan_takes_what_would_be_fetched(
    programs: Path,
) -> None:
    (programs / "linkerd").unlink()
    (programs / "linkerd-2.14").unlink()
    topology = parse(TOPOLOGY.format(version="latest", link="west -> east"), "lab.yaml")
    with pytest.raises(EngineUnavailable, match="neither its CLI nor Helm"):
        await wished(topology)
    assert {one.version for one in (await wished(topology, is_plan=True)).mesh.values()} == {LATEST}


async def test_links_of_2_14_need_its_cli_and_the_user_is_told_what_was_found(
    programs: Path, tmp_path: Path
) -> None:
    (programs / "linkerd-2.14").unlink()
    install(programs, "helm", LATEST, "helm_stand_in")
    with pytest.raises(EngineUnavailable) as caught:
        await find.program("2.14")
    assert "linkerd is edge-26.8.3" in str(caught.value)
    assert "Helm has no chart for its links" in str(caught.value)
    assert "lab tools linkerd-2.14" in caught.value.remedy


async def test_the_checks_of_the_cli_become_findings_with_its_hints(rig: Rig) -> None:
    mesh = rig.mesh()
    await mesh.install(rig.west)
    found = await mesh.check([rig.west])
    assert [(one.check.split(":")[0], one.ok, one.is_warning) for one in found] == [
        ("linkerd-existence", True, False),
        ("linkerd-existence", True, True),
        ("linkerd-multicluster", True, False),
    ]
    missing = await mesh.check([rig.east])
    assert [one.remedy for one in missing if not one.ok] == ["see https://linkerd.io/2/checks/#l5d-existence"]


async def test_what_the_cli_refuses_is_told_with_the_line_to_try_and_what_helps(rig: Rig) -> None:
    with pytest.raises(LabError) as caught:
        await rig.mesh().link(rig.west, rig.east, LinkSpec())
    assert "you need Linkerd to be installed" in str(caught.value)
    assert "multicluster install" in str(caught.value)
    assert "| kubectl" in str(caught.value)
    assert "`lab up` installs it" in caught.value.remedy


@pytest.mark.slow
async def test_the_plan_of_a_running_lab_shows_only_what_differs(rig: Rig) -> None:
    await up(rig)
    clients = {"west": rig.west.client, "east": rig.east.client}
    lines = await rig.mesh().commands([Task("install", ("west",)), Task("link", ("west", "east"))], clients)
    words = [line for _, line in lines]
    assert "upgrade --crds" in words[0]
    assert not any("identity-issuer" in line for line in words)
    assert not any("gateway-api" in line for line in words)
