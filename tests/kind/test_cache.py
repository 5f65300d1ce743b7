"""The cache of registries: real registries, and containerd in nodes that pulls through it."""

import asyncio
import shutil
from dataclasses import replace

import pytest

from lab.base import process
from lab.base.wait import until
from lab.engines.kind import cache
from lab.engines.kind.cache import Upstream
from tests.kind import registry_image
from tests.kind.conftest import Rig

pytestmark = [pytest.mark.slow, pytest.mark.netns]
IMAGE = "docker.io/team/hello:1"
TAG = "/var/lib/registry/5010/docker/registry/v2/repositories/team/hello/_manifests/tags/1/current/link"


@pytest.fixture
def cached(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A lab with the cache of an upstream registry that has one image, in place of docker.io."""
    if not shutil.which(registry_image.PROGRAM):
        pytest.skip(f"{registry_image.PROGRAM} is not installed here, and stands for the registries")
    monkeypatch.setattr(cache, "IMAGE", registry_image.TAG)
    monkeypatch.setattr(cache, "UPSTREAMS", {"docker.io": Upstream("http://upstream:5000", 5010)})
    with rig.docker.client() as client:
        client.api.import_image_from_data(registry_image.archive(), repository=registry_image.TAG)
    kind = rig.plan.kind.model_copy(update={"cache": True})
    return replace(rig, plan=replace(rig.plan, kind=kind))


async def start_upstream(rig: Rig) -> None:
    config = "{version: 0.1, http: {addr: 0.0.0.0:5000}, storage: {filesystem: {rootdirectory: /tmp}}}"
    script = f'echo "{config}" > /config.yaml && exec registry serve /config.yaml'
    with rig.docker.client() as client:
        client.containers.run(
            registry_image.TAG, ["sh", "-c", script], name="upstream", detach=True, auto_remove=True,
            network="multicluster-lab-two", ports={"5000/tcp": ("127.0.0.1", None)},
        )  # fmt: skip
        (binding,) = client.containers.get("upstream").attrs["NetworkSettings"]["Ports"]["5000/tcp"]
        pushed = f"127.0.0.1:{binding['HostPort']}/team/hello:1"
        client.containers.get(cache.NAME).restart(timeout=0)  # which is faster than its next attempt
    for words in (("tag", "lab.test/python:small", pushed),
                  ("push", pushed)):  # fmt: skip
        await process.run(("docker", *words), timeout=60)


async def test_what_one_cluster_pulled_another_gets_when_the_registry_is_gone(cached: Rig) -> None:
    pull = ("ctr", "--namespace=k8s.io", "images", "pull", f"--hosts-dir={cache.FOLDER}", IMAGE)
    await cached.up()
    await start_upstream(cached)

    def stored() -> bool:
        with cached.docker.client() as client:
            return client.containers.get(cache.NAME).exec_run(["ls", TAG]).exit_code == 0

    cached.inside("west", *pull)
    await until(lambda: asyncio.to_thread(stored), timeout=30, what="the cache has the image", every=0.2)
    with cached.docker.client() as client:
        client.containers.get("upstream").kill()
    cached.inside("east", *pull)


async def test_the_cache_stays_for_other_labs_and_goes_with_the_last_but_for_its_volume(cached: Rig) -> None:
    await cached.up()
    with cached.docker.client() as client:
        client.networks.create("another-lab").connect(cache.NAME)
        await cached.engine.remove(cached.dir)
        left = client.containers.get(cache.NAME)
        assert list(left.attrs["NetworkSettings"]["Networks"]) == ["another-lab"]
        await cached.up()
        assert set(client.containers.get(cache.NAME).attrs["NetworkSettings"]["Networks"]) == {
            "another-lab",
            "multicluster-lab-two",
        }
        client.networks.get("another-lab").disconnect(cache.NAME)
        await cached.engine.remove(cached.dir)
        assert client.containers.list(all=True) == []
        assert [one.name for one in client.volumes.list()] == [cache.NAME]
