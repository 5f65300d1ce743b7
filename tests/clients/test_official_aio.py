"""Programs written with the official Python client for asyncio: many at once, watching, leading, in pods."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client, config, dynamic, watch
from kubernetes.aio.client import ApiClient, ApiException, CoreV1Api
from kubernetes.aio.dynamic.exceptions import NotFoundError
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.aio.stream import WsApiClient

from tests.clients import manifests

pytestmark = [pytest.mark.netns, pytest.mark.slow]


@pytest.fixture
async def settings(kubeconfig: Path) -> client.Configuration:
    made = client.Configuration()
    await config.load_kube_config(str(kubeconfig), client_configuration=made)
    return made


@pytest.fixture
async def api(settings: client.Configuration) -> AsyncIterator[ApiClient]:
    async with ApiClient(settings) as made:
        yield made


async def test_writers_that_race_all_get_their_write_in(api: ApiClient, space: str) -> None:
    core = CoreV1Api(api)
    await core.create_namespaced_config_map(space, {"metadata": {"name": "counter"}, "data": {"n": "0"}})
    conflicts = 0

    async def add() -> None:
        nonlocal conflicts
        while True:
            found = await core.read_namespaced_config_map("counter", space)
            found.data["n"] = str(int(found.data["n"]) + 1)
            try:
                await core.replace_namespaced_config_map("counter", space, found)
            except ApiException as error:
                if json.loads(error.body)["reason"] != "Conflict":
                    raise
                conflicts += 1
            else:
                return

    async with asyncio.timeout(30):
        await asyncio.gather(*(add() for _ in range(10)))
    last = await core.read_namespaced_config_map("counter", space)
    assert (last.data["n"], conflicts > 0) == ("10", True)


async def test_a_watch_sees_what_happens_meanwhile(api: ApiClient, space: str) -> None:
    core = CoreV1Api(api)
    seen = []

    async def follow() -> None:
        async with watch.Watch() as following:
            options: dict[str, Any] = {"label_selector": "w=1", "timeout_seconds": 20}
            async for event in following.stream(core.list_namespaced_config_map, space, **options):
                seen.append((event["type"], event["object"].metadata.name))
                if event["type"] == "DELETED":
                    return

    follower = asyncio.create_task(follow())
    await core.create_namespaced_config_map(space, {"metadata": {"name": "a", "labels": {"w": "1"}}})
    await core.create_namespaced_config_map(space, {"metadata": {"name": "other"}})
    await core.patch_namespaced_config_map("a", space, {"metadata": {"labels": {"w": "2"}}})
    await asyncio.wait_for(follower, 20)
    assert seen == [("ADDED", "a"), ("DELETED", "a")]  # leaving the selector is leaving the watch


async def test_the_dynamic_client_finds_and_uses_any_kind(api: ApiClient, space: str) -> None:
    anything = await dynamic.DynamicClient(api)
    services = await anything.resources.get(api_version="v1", kind="Service")
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}]},
    }
    made = await services.create(body=body, namespace=space)
    assert made.spec.type == "ClusterIP"
    await services.delete(name="s", namespace=space)
    with pytest.raises(NotFoundError):
        await services.get(name="s", namespace=space)


async def test_one_candidate_leads_at_a_time(api: ApiClient, space: str) -> None:
    started: asyncio.Queue[str] = asyncio.Queue()
    # The package's own way to create the Lease sends pretty=True, which its typed client refuses.
    await client.CoordinationV1Api(api).create_namespaced_lease(space, {"metadata": {"name": "leader"}})

    def candidate(name: str) -> asyncio.Task[None]:
        async def lead() -> None:
            started.put_nowait(name)

        async def stop() -> None: ...

        settings = Config(LeaseLock("leader", space, name, api), 3, 2, 1, lead, stop)
        return asyncio.create_task(LeaderElection(settings).run())

    first = candidate("first")
    assert await asyncio.wait_for(started.get(), 10) == "first"
    second = candidate("second")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(started.get(), 1.5)
    first.cancel()  # it died: its lease must run out
    assert await asyncio.wait_for(started.get(), 15) == "second"
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_a_command_runs_in_a_pod(api: ApiClient, settings: client.Configuration, space: str) -> None:
    core = CoreV1Api(api)
    await core.create_namespaced_pod(space, manifests.pod("p"))
    async with watch.Watch() as following:
        async for event in following.stream(core.list_namespaced_pod, space, timeout_seconds=30):
            if event["object"].status.phase == "Running":
                break
    command = ["sh", "-c", "echo hello; exit 5"]
    async with WsApiClient(settings) as sockets:
        words: dict[str, Any] = {"container": "shell", "command": command, "stdout": True, "stderr": True}
        said = await CoreV1Api(sockets).connect_get_namespaced_pod_exec("p", space, **words)
        connect = CoreV1Api(sockets).connect_get_namespaced_pod_exec_without_preload_content
        async with await connect("p", space, **words) as socket:
            status = [m.data[1:] async for m in socket if m.data[0] == 3]
    assert (said, WsApiClient.parse_error_data(status[0])) == ("hello\n", 5)
