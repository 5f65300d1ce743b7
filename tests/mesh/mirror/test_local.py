"""The local member of federated services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from lab.controlplane.mirror.local import LocalMirror
from lab.kube.kinds import SERVICES
from lab.kube.objects import annotations
from tests.mesh.mirror.conftest import Pair, as_service_account
from tests.mesh.mirror.objects import service


@pytest.fixture
async def local(link: Pair) -> AsyncIterator[Pair]:
    """The local mirror of west, beside its link to east, with its own rights."""
    client = await as_service_account(link.west, "linkerd-local-service-mirror", "linkerd-multicluster")
    running = asyncio.create_task(LocalMirror(client).run())
    yield link
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await client.close()


async def add_local(pair: Pair, port: int = 81) -> None:
    own = service(federated="member")
    del own["metadata"]["resourceVersion"]
    own["spec"]["ports"] = [{"name": "http", "port": port, "targetPort": 8080}]
    await pair.west.client.create(SERVICES, own)


async def test_local_and_remote_members_make_one_federated_service(local: Pair) -> None:
    await local.export(federated="member")
    await add_local(local)
    found = await local.eventually(SERVICES, "web-federated", lambda s: len(annotations(s)) == 2)
    assert annotations(found) == {
        "multicluster.linkerd.io/remote-discovery": "web@east",
        "multicluster.linkerd.io/local-discovery": "web",
    }


async def test_the_federated_service_follows_the_local_members_ports(local: Pair) -> None:
    await local.export(federated="member")
    await add_local(local, port=81)
    await local.eventually(SERVICES, "web-federated", lambda s: s["spec"]["ports"][0]["port"] == 81)


async def test_the_federated_service_outlives_one_member_and_goes_with_the_last(local: Pair) -> None:
    await local.export(federated="member")
    await add_local(local)
    await local.eventually(SERVICES, "web-federated", lambda s: len(annotations(s)) == 2)
    await local.west.client.delete(SERVICES, "web", "shop")
    await local.eventually(SERVICES, "web-federated", lambda s: len(annotations(s)) == 1)
    await local.relabel(None, key="mirror.linkerd.io/federated")
    await local.gone(SERVICES, "web-federated")
