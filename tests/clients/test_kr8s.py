"""A program written with kr8s: objects, conditions, commands and ports, as its asyncio interface has them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import kr8s.asyncio
import pytest
from kr8s.asyncio.objects import ConfigMap, Deployment, Pod, new_class

from tests.clients import manifests

pytestmark = [pytest.mark.netns, pytest.mark.slow]


@pytest.fixture
async def api(kubeconfig: Path, space: str) -> AsyncIterator[Any]:
    made = await kr8s.asyncio.api(kubeconfig=str(kubeconfig), namespace=space)
    yield made
    await made._session.aclose()  # the package has no way to say that it is no longer needed


async def pod_of(api: Any) -> Pod:
    made = await Pod(manifests.pod("p"), api=api)
    await made.create()
    await made.wait("condition=Ready", timeout=30)
    return made


async def test_objects_are_written_read_and_refused(api: Any) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
    one = await ConfigMap(body, api=api)
    await one.create()
    with pytest.raises(kr8s.ServerError) as found:
        await (await ConfigMap(body, api=api)).create()
    assert (found.value.status["reason"], found.value.response.status_code) == ("AlreadyExists", 409)
    await one.label({"app": "x"})
    await one.patch([{"op": "replace", "path": "/data/a", "value": "2"}], type="json")
    listed = [found async for found in kr8s.asyncio.get("configmaps", label_selector="app=x", api=api)]
    assert [(found.name, found.data.a) for found in listed] == [("one", "2")]
    await one.delete()
    assert not await one.exists()
    with pytest.raises(kr8s.NotFoundError):
        await one.refresh()


async def test_a_deployment_scales_and_its_pods_become_ready(api: Any) -> None:
    pod = manifests.pod("web")
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": pod["metadata"], "spec": pod["spec"]},
    }
    web = await Deployment({"metadata": {"name": "web"}, "spec": spec}, api=api)
    await web.create()
    await web.wait("condition=Available", timeout=30)
    await web.scale(2)
    await web.wait("jsonpath='{.status.readyReplicas}'=2", timeout=30)
    assert len(await web.pods()) == 2
    await web.delete(propagation_policy="Foreground")
    await web.wait("delete", timeout=30)


async def test_commands_logs_and_ports_of_a_pod_are_reached(api: Any) -> None:
    pod = await pod_of(api)
    command = ["sh", "-c", "echo hello; echo trouble >&2; exit 3"]
    ran = await pod.exec(command, container="shell", check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == (b"hello\n", b"trouble\n", 3)
    assert [line async for line in pod.logs(container="shell")] == ["started"]
    async with pod.portforward(8080, local_port=0) as port:
        for path in ("/one", "/two"):
            async with aiohttp.request("GET", f"http://127.0.0.1:{port}{path}") as answer:
                assert (await answer.json())["path"] == path


async def test_a_kind_of_its_own_is_watched(api: Any) -> None:
    definition = new_class("CustomResourceDefinition", "apiextensions.k8s.io/v1", namespaced=False)
    crd = await definition(manifests.crd("nuts", "Nut"), api=api)
    await crd.create()
    try:
        await crd.wait("condition=Established", timeout=10)
        nuts = new_class("Nut", "clients.example.com/v1", asyncio=True)
        nut = await nuts({"metadata": {"name": "n"}, "spec": {}}, api=api)
        await nut.create()
        assert nut.spec.size == 3
        with pytest.raises(kr8s.ServerError) as found:
            await nut.patch({"spec": {"size": 0}})
        assert found.value.status["details"]["causes"][0]["field"] == "spec.size"
        await nut.patch({"status": {"seen": True}}, subresource="status")
        async with aclosing(kr8s.asyncio.watch("nuts.clients.example.com", api=api)) as changes:
            kind, seen = await anext(changes)
        assert (kind, seen.status.seen) == ("ADDED", True)
    finally:
        await crd.delete()
