"""The API server's way to the node: what it checks before it hands a call on, in upstream's words."""

import pytest

from lab.kube.client import Request
from lab.kube.errors import ApiError
from tests.node.cluster import Cluster, container


async def ask(cluster: Cluster, pod: str, sub: str = "log", **query: str) -> str:
    path = f"/api/v1/namespaces/default/pods/{pod}/{sub}"
    return (await cluster.client.raw(Request("GET", path, query, accept="*/*"))).decode()


async def refusal(cluster: Cluster, pod: str, sub: str = "log", **query: str) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        await ask(cluster, pod, sub, **query)
    return refused.value.status, str(refused.value).partition(": ")[2]  # what was asked stands before it


@pytest.fixture
async def crowd(cluster: Cluster) -> Cluster:
    """A running pod with several containers, named `crowd`."""
    cluster.runtime.instant["setup"] = 0
    containers = [container("app"), container("side")]
    await cluster.make_pod("crowd", *containers, initContainers=[container("setup")])
    await cluster.ready("crowd")
    return cluster


async def test_log_of_one_of_several_containers_needs_its_name(crowd: Cluster) -> None:
    assert await refusal(crowd, "crowd") == (
        400,
        "a container name must be specified for pod crowd, choose one of: [app side] "
        "or one of the init containers: [setup]",
    )


async def test_log_of_an_init_container_is_kept(crowd: Cluster) -> None:
    assert await ask(crowd, "crowd", container="setup") == "start\n"


async def test_a_wrong_container_name_is_told(crowd: Cluster) -> None:
    assert await refusal(crowd, "crowd", container="no") == (400, "container no is not valid for pod crowd")


async def test_log_of_a_pod_that_is_not_there_is_not_found(cluster: Cluster) -> None:
    assert await refusal(cluster, "no") == (404, 'pods "no" not found')


async def test_log_of_a_pod_without_a_node_is_empty(cluster: Cluster) -> None:
    await cluster.make_pod("waiting", nodeSelector={"no": "such"})
    assert await ask(cluster, "waiting") == ""


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"tailLines": "-1"}, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ({"sinceSeconds": "0"}, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ({"limitBytes": "0"}, "limitBytes: Invalid value: 0: must be greater than 0"),
        (
            {"sinceSeconds": "1", "sinceTime": "2026-01-01T00:00:00Z"},
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
    ],
)
async def test_log_options_that_make_no_sense_are_invalid(
    cluster: Cluster, query: dict[str, str], text: str
) -> None:
    await cluster.make_pod("web")
    status, said = await refusal(cluster, "web", **query)
    assert status == 422
    assert said.startswith('PodLogOptions "web" is invalid: ')
    assert text in said


async def test_exec_without_an_upgrade_is_refused(crowd: Cluster) -> None:
    assert await refusal(crowd, "crowd", "exec", command="true") == (400, "Upgrade request required")
