"""Several controllers of one link, a rotated credential, and a link made anew under another version."""

import asyncio
import contextlib

from lab.base.wait import until
from lab.controlplane.mirror.main import Controller
from lab.controlplane.mirror.probe import Profile
from lab.kube.kinds import DEPLOYMENTS, LEASES, SECRETS
from lab.mesh.builtin.mesh import BuiltinMesh
from lab.mesh.protocol import LinkSpec, MeshVersion
from tests.mesh.mirror.conftest import Pair, as_service_account

SPACE = "linkerd-multicluster"


async def holder(pair: Pair) -> str:
    lease = await pair.west.client.get(LEASES, "service-mirror-write-east", SPACE)
    return str(lease["spec"].get("holderIdentity") or "")


async def test_a_second_controller_waits_and_takes_over_when_the_leader_ends(link: Pair) -> None:
    await link.export("first")
    await link.mirror("first-east")
    client = await as_service_account(link.west, "controller-east", SPACE)
    leader = await holder(link)
    standby = asyncio.create_task(Controller(client, SPACE, "east", Profile("latest"), "standby").run())
    second = asyncio.create_task(Controller(client, SPACE, "east", Profile("latest"), "other").run())

    async def taken_over() -> bool:
        return await holder(link) not in ("", leader)

    try:
        await link.export("second")
        await link.mirror("second-east")
        assert await holder(link) == leader
        link.stop()
        await until(taken_over, timeout=10, what="another controller leads", every=0.05)
        await link.export("third")
        await link.mirror("third-east")
    finally:
        for task in (standby, second):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await client.close()


async def test_a_rotated_credential_is_used_without_a_restart(link: Pair) -> None:
    await link.export("first")
    await link.mirror("first-east")
    name = "linkerd-service-mirror-remote-access-default-token"
    old = await link.east.client.get(SECRETS, name, SPACE)
    await link.east.client.delete(SECRETS, name, SPACE)
    kept = {key: old["metadata"][key] for key in ("name", "namespace", "annotations")}
    await link.east.client.create(
        SECRETS, {"apiVersion": "v1", "kind": "Secret", "type": old["type"], "metadata": kept}
    )
    before = await link.west.client.get(SECRETS, "cluster-credentials-east", SPACE)
    await link.mesh.link(link.west, link.east, LinkSpec())
    after = await link.west.client.get(SECRETS, "cluster-credentials-east", SPACE)
    assert before["data"] != after["data"]
    await link.export("second")
    await link.mirror("second-east")


async def test_linking_under_another_version_replaces_the_controller(link: Pair) -> None:
    older = BuiltinMesh(link.mesh.lab, MeshVersion("2.14"))
    await older.link(link.west, link.east, LinkSpec(frozenset({"gateway"})))
    found = {d["metadata"]["name"] for d in await link.west.client.list(DEPLOYMENTS, SPACE)}
    assert "linkerd-service-mirror-east" in found
    assert "controller-east" not in found
