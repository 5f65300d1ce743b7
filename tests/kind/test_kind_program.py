"""The real program `kind`, as far as it goes without a node image: what we call it with, and what it says.

Built from the Go module of the newest release that the lab knows; once per machine, as Go keeps it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import docker
import pytest

from lab.base.errors import LabError
from lab.engines.kind import config, design, supply
from lab.engines.kind.acts import RunDocker, RunKind
from lab.engines.kind.apps import PODS_TAG, apps_image
from lab.engines.kind.daemon import Daemon
from lab.engines.kind.design import Present
from lab.engines.kind.images import DIGESTS, NEWEST, Images, release_of
from lab.engines.kind.perform import perform
from tests.kind import node_image, python_image
from tests.kind.conftest import Rig

pytestmark = pytest.mark.slow
ABSENT = "lab.test/absent:1"
IMAGES = Images(ABSENT, apps_image(python_image.SMALL))


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("go"):
        pytest.skip("Go is not installed here, and builds the program kind")
    folder = tmp_path_factory.mktemp("real-kind")
    argv = ["go", "install", f"sigs.k8s.io/kind@v{NEWEST}"]
    subprocess.run(argv, env={**os.environ, "GOBIN": str(folder)}, check=True, timeout=300)
    return folder / "kind"


@pytest.fixture
def real(rig: Rig, kind: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The rig, with the real kind instead of the stand-in."""
    monkeypatch.setenv("PATH", str(kind.parent), prepend=":")
    return rig


def said(kind: Path, *words: str) -> str:
    done = subprocess.run([str(kind), *words], text=True, capture_output=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_its_release_and_default_image_are_those_of_the_table(kind: Path) -> None:
    assert release_of(said(kind, "version")) == NEWEST
    newest = next(iter(DIGESTS[NEWEST].values()))
    assert newest.encode() in kind.read_bytes()


@pytest.mark.netns
def test_it_knows_every_verb_and_flag_that_the_lab_uses(kind: Path, rig: Rig) -> None:
    acts = [*design.creation(rig.dir, rig.plan, IMAGES, Present()).acts, design.delete_cluster(rig.dir, "x")]
    nodes = design.expected(rig.plan, {})
    acts += supply.loading(rig.dir, IMAGES, Present(nodes=nodes)).acts
    calls = [act.argv for act in acts if isinstance(act, RunKind)]
    assert {call[0] for call in calls} == {"create", "delete", "load"}
    for verb, noun, *flags in calls:
        usage = said(kind, verb, noun, "--help")
        assert f"kind {verb} {noun}" in usage
        for flag in (one for one in flags if one.startswith("--")):
            assert f" {flag.partition('=')[0]} " in usage, (verb, flag)


@pytest.mark.netns
async def test_it_takes_our_configuration_and_its_failure_to_pull_is_explained(real: Rig) -> None:
    file = real.dir.cluster("west").root / "kind.yaml"
    acts = design.creation(real.dir, real.plan, IMAGES, Present(network=True)).clusters["west"]
    async with await Daemon.connect() as daemon:
        await perform(daemon, acts[0])
        with pytest.raises(LabError) as caught:
            await perform(daemon, acts[1])
    assert f'failed to pull image "{ABSENT}"' in str(caught.value)
    assert f"--config={file}" in str(caught.value)
    assert "images.load" in caught.value.remedy


@pytest.mark.netns
async def test_its_decoder_is_strict_and_its_refusal_is_explained(real: Rig) -> None:
    file = real.dir.root / "kind.yaml"
    cluster = real.plan.cluster("west")
    file.write_text(config.text(real.plan, cluster, ABSENT).replace("podSubnet", "podSubnets"))
    act = RunKind("west", ("create", "cluster", "--name=x", f"--config={file}"), "x", 60)
    async with await Daemon.connect() as daemon:
        with pytest.raises(LabError, match="podSubnets not found") as caught:
            await perform(daemon, act)
    assert "kubeadm" in caught.value.remedy


@pytest.mark.netns
async def test_it_finds_and_removes_what_the_engine_takes_for_its_nodes(
    rig: Rig, kind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.up()
    assert said(kind, "get", "clusters").split() == ["two-east", "two-far", "two-west"]
    assert said(kind, "get", "nodes", "--name=two-west").split() == ["two-west-control-plane"]
    monkeypatch.setenv("PATH", str(kind.parent), prepend=":")
    await rig.engine.remove(rig.dir)
    with rig.docker.client() as client:
        assert client.containers.list(all=True) == []
        assert client.volumes.list() == []


@pytest.mark.netns
async def test_it_loads_images_into_the_nodes(rig: Rig, kind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rig.docker.client() as client:
        try:
            client.containers.run(node_image.TAG, entrypoint="true", privileged=True, remove=True)
        except docker.errors.APIError as error:
            pytest.skip(
                f"kind works in nodes by `docker exec --privileged`, refused here: {error.explanation}"
            )
    await rig.up()
    ctr = ("ctr", "--namespace=k8s.io", "images")
    rig.inside("west", *ctr, "remove", PODS_TAG)
    monkeypatch.setenv("PATH", str(kind.parent), prepend=":")
    await rig.up()
    assert PODS_TAG in rig.inside("west", *ctr, "list", "--quiet").split()


@pytest.mark.netns
async def test_an_image_that_cannot_be_pulled_is_named_before_any_cluster_is_made(real: Rig) -> None:
    async with await Daemon.connect() as daemon:
        with pytest.raises(LabError, match=f"pull {ABSENT}") as caught:
            await perform(daemon, RunDocker("lab", ("pull", ABSENT), 60))
    assert "images.save" in caught.value.remedy
    with real.docker.client() as client, pytest.raises(docker.errors.NotFound):
        client.networks.get("kind")
