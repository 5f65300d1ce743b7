"""Images on a real Docker engine: the demo apps' is built here, and nodes hold what pods ask for."""

import asyncio
from dataclasses import replace

import pytest

from lab.base import process
from lab.base.errors import EngineUnavailable
from lab.base.wait import until
from lab.engines.kind import moving
from lab.engines.kind.apps import PODS_TAG, apps_image
from tests.kind import python_image
from tests.kind.conftest import Rig, quiet
from tests.kind.dockerd import Dockerd

pytestmark = [pytest.mark.slow, pytest.mark.netns]


def in_node(rig: Rig, cluster: str) -> dict[str, str]:
    """Names and digests of the images that containers of a node can be started from."""
    rows = rig.inside(cluster, "ctr", "--namespace=k8s.io", "images", "list").splitlines()[1:]
    return {row.split()[0]: row.split()[2] for row in rows}


async def test_the_demo_image_runs_the_programs_of_this_project(
    engine_of_docker: Dockerd, environment: object
) -> None:
    with engine_of_docker.client() as client:
        client.api.import_image_from_data(python_image.archive(), repository=python_image.TAG)
        image = apps_image(python_image.TAG)
        await process.run(("docker", *image.build), timeout=120)
        wrong = client.containers.run(image.tag, ["nothing"], detach=True)
        assert wrong.wait(timeout=30)["StatusCode"] == 2
        assert b"the apps image runs one of catalog, client, echo" in wrong.logs()
        echo = client.containers.run(image.tag, ["echo"], detach=True, network_mode="none")
        assert echo.exec_run(["id", "-u"]).output == b"65532\n"

        def ask() -> str:
            code, said = echo.exec_run(["client", "http://127.0.0.1:8080/"])
            return "" if code else said.decode()

        answer = await until(lambda: asyncio.to_thread(ask), timeout=30, what="echo answers", every=0.2)
        assert str(echo.attrs["Config"]["Hostname"]) in (answer or "")


async def test_a_lab_comes_up_without_a_network_from_a_file_of_its_images(rig: Rig) -> None:
    kind = rig.plan.kind.model_copy(update={"offline": True})
    offline = replace(rig, plan=replace(rig.plan, kind=kind))
    archive = rig.dir.root / "all.tar"
    with rig.docker.client() as client:
        with pytest.raises(EngineUnavailable, match="the mesh's images"):
            await offline.up()
        assert client.networks.list(names=["multicluster-lab-two"]) == []
        client.images.get(python_image.SMALL).tag("cr.l5d.io/linkerd/proxy", "v2")
        pods = ["cr.l5d.io/linkerd/proxy:v2"]
        saved = await moving.save(rig.dir, rig.plan, pods, archive, quiet)
        for name in saved:
            client.images.remove(name, force=True)
        with pytest.raises(EngineUnavailable, match=r"cr.l5d.io/linkerd/proxy:v2"):
            await offline.up()
        assert sorted(await moving.load(archive)) == sorted(saved)
    await offline.up()
    assert {*pods, PODS_TAG} <= in_node(rig, "west").keys()


async def test_nodes_hold_the_image_under_the_name_that_manifests_say(rig: Rig) -> None:
    await rig.up()
    exact = apps_image(python_image.SMALL).tag
    for cluster in ("west", "east", "far"):
        held = in_node(rig, cluster)
        assert held[PODS_TAG] == held[exact]
    loads = [call["argv"] for call in rig.calls() if call["argv"][0] == "load"]
    assert len(loads) == 3
    assert not (rig.dir.root / "images.tar").exists()
    rig.inside("east", "ctr", "--namespace=k8s.io", "images", "remove", PODS_TAG)
    await rig.up()
    assert [call["argv"][-1] for call in rig.calls() if call["argv"][0] == "load"] == ["--name=two-east"]
    assert PODS_TAG in in_node(rig, "east")
