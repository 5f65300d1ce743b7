"""A program written with lightkube: dataclasses for objects, server-side apply, watches, pods."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from lightkube import AsyncClient, Client, KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, ContainerPort, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import CascadeType, PatchType

from tests.clients import manifests

pytestmark = [pytest.mark.netns, pytest.mark.slow]


@pytest.fixture
def client(kubeconfig: Path, space: str) -> Iterator[Client]:
    with Client(config=KubeConfig.from_file(kubeconfig), namespace=space, field_manager="lightkube") as made:
        yield made


def deployment(replicas: int) -> Deployment:
    labels = {"app": "web"}
    container = Container("main", image="multicluster.lab/apps", args=["echo"], ports=[ContainerPort(8080)])
    template = PodTemplateSpec(metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[container]))
    spec = DeploymentSpec(LabelSelector(matchLabels=labels), template, replicas=replicas)
    return Deployment(metadata=ObjectMeta(name="web"), spec=spec)


def test_objects_are_written_read_and_refused(client: Client) -> None:
    one = ConfigMap(metadata=ObjectMeta(name="one", labels={"app": "x"}), data={"a": "1"})
    first = client.create(one)
    with pytest.raises(ApiError) as found:
        client.create(one)
    assert (found.value.status.code, found.value.status.reason) == (409, "AlreadyExists")
    client.patch(ConfigMap, "one", {"data": {"b": "2"}}, patch_type=PatchType.MERGE)
    first.data = {"late": "yes"}
    with pytest.raises(ApiError) as found:
        client.replace(first)
    assert found.value.status.reason == "Conflict"
    listed = list(client.list(ConfigMap, labels={"app": ("x", "y")}, chunk_size=1))
    assert [item.data for item in listed] == [{"a": "1", "b": "2"}]
    client.deletecollection(ConfigMap)
    with pytest.raises(ApiError) as found:
        client.get(ConfigMap, "one")
    assert found.value.status.code == 404


def test_apply_owns_fields_and_tells_of_conflicts(client: Client) -> None:
    applied = client.apply(deployment(1))
    client.wait(Deployment, "web", for_conditions=["Available"])
    scale = client.get(Deployment.Scale, "web")
    scale.spec.replicas = 2
    client.replace(scale, "web", field_manager="scaler")
    with pytest.raises(ApiError) as found:
        client.apply(deployment(3))
    assert (found.value.status.code, found.value.status.details.causes[0].field) == (409, ".spec.replicas")
    assert client.apply(deployment(3), force=True).spec.replicas == 3
    assert applied.metadata.uid == client.get(Deployment, "web").metadata.uid
    client.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)


def test_a_kind_of_its_own_has_a_status(client: Client) -> None:
    client.create(CustomResourceDefinition.from_dict(manifests.crd("cogs", "Cog")))
    try:
        client.wait(CustomResourceDefinition, "cogs.clients.example.com", for_conditions=["Established"])
        cogs = create_namespaced_resource("clients.example.com", "v1", "Cog", "cogs")
        made = client.create(cogs(metadata=ObjectMeta(name="c"), spec={}))
        made["status"] = {"seen": True}
        client.replace(cogs.Status.from_dict(made.to_dict()), "c")
        found = client.get(cogs, "c")
        assert (found.spec, found.status) == ({"size": 3}, {"seen": True})
    finally:
        client.delete(CustomResourceDefinition, "cogs.clients.example.com")


async def test_a_pod_is_awaited_watched_and_looked_into(kubeconfig: Path, space: str) -> None:
    config = KubeConfig.from_file(kubeconfig)
    async with AsyncClient(config=config, namespace=space) as client, asyncio.timeout(60):
        await client.create(Pod.from_dict(manifests.pod("p")))
        ready = await client.wait(Pod, "p", for_conditions=["Ready"])
        assert [line async for line in client.log("p", container="shell")] == ["started\n"]
        command = ["sh", "-c", "cat; exit 3"]
        ran = await client.exec("p", command=command, container="shell", stdin="in", stdout=True)
        assert (ran.stdout, ran.exit_code) == ("in", 3)
        await client.delete(Pod, "p", grace_period=0)
        since = ready.metadata.resourceVersion
        changes = client.watch(Pod, fields={"metadata.name": "p"}, resource_version=since)
        async with aclosing(changes):
            async for kind, _ in changes:
                if kind == "DELETED":
                    break
