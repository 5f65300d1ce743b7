"""Pod networks, routes and faults between clusters, in real namespaces."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytestmark = pytest.mark.netns

FLAT = {"west": {"10.21.0.0/16": "172.28.0.11"}, "east": {"10.20.0.0/16": "172.28.0.10"}}
NETWORKS = {"west": ["10.20.0.0/16", "172.28.0.10/32"], "east": ["10.21.0.0/16", "172.28.0.11/32"]}


async def network(control: Any, function: str, **arguments: Any) -> Any:
    return await control.call("network", function=function, arguments=arguments)


@pytest.fixture
async def flat(rig: Any) -> AsyncIterator[None]:
    for cluster, routes in FLAT.items():
        await network(rig.control, "set_routes", cluster=cluster, routes=routes)
    yield
    for cluster in FLAT:
        await network(rig.control, "set_routes", cluster=cluster, routes={})
        await network(rig.control, "set_drops", cluster=cluster, peers={})


@pytest.fixture
async def client(rig: Any) -> Any:
    return await rig.start("west", await rig.pod("west"), ["sleep", "600"])


async def test_pods_of_one_cluster_reach_each_other(rig: Any, client: Any) -> None:
    server = await rig.serve("west", "near")
    assert (await rig.ask(client, server["ip"], 8080)).startswith("near")


async def test_pods_that_go_take_no_others_packets_with_them(rig: Any, client: Any) -> None:
    server = await rig.serve("west", "near")
    others = [await rig.pod("west") for _ in range(6)]
    answers = [await rig.ask(client, server["ip"], 8080)]
    for pod in others:
        await rig.control.call("remove-sandbox", pod_uid=pod["pod_uid"])
        answers.append(await rig.ask(client, server["ip"], 8080))
    assert {answer.partition(" ")[0] for answer in answers} == {"near"}


async def test_without_flat_routes_a_remote_pod_is_out_of_reach(rig: Any, client: Any) -> None:
    server = await rig.serve("east", "far")
    assert await rig.ask(client, server["ip"], 8080) in ("TimeoutError", "OSError")


@pytest.mark.usefixtures("flat")
async def test_over_flat_routes_a_remote_pod_sees_the_callers_own_address(rig: Any, client: Any) -> None:
    server = await rig.serve("east", "far")
    own = next(p["ip"] for p in await pods(rig, "west") if p["pod_uid"] == client["pod_uid"])
    assert await rig.ask(client, server["ip"], 8080) == f"far to {own}"


async def pods(rig: Any, cluster: str) -> Any:
    seen = await rig.control.call("list")
    return next(row["pods"] for row in seen["clusters"] if row["name"] == cluster)


@pytest.mark.usefixtures("flat")
async def test_a_drop_cuts_what_arrives(rig: Any, client: Any) -> None:
    server = await rig.serve("east", "far")
    await network(rig.control, "set_drops", cluster="east", peers={"west": NETWORKS["west"]})
    assert await rig.ask(client, server["ip"], 8080) == "TimeoutError"


@pytest.mark.usefixtures("flat")
async def test_a_lifted_drop_lets_packets_through_again(rig: Any, client: Any) -> None:
    server = await rig.serve("east", "far")
    await network(rig.control, "set_drops", cluster="east", peers={"west": NETWORKS["west"]})
    await network(rig.control, "set_drops", cluster="east", peers={})
    assert (await rig.ask(client, server["ip"], 8080)).startswith("far")


@pytest.mark.usefixtures("flat")
async def test_a_drop_silences_established_connections(rig: Any, client: Any) -> None:
    pod = await rig.pod("east")
    echo = await rig.start("east", pod, [sys.executable, "-u", "-c", ECHO])
    await rig.run(echo, sys.executable, "-c", WAIT)
    _answer, fds = await rig.control.call_with_fds(
        "exec", (), id=client["id"], argv=[sys.executable, "-u", "-c", TALK, pod["ip"]], tty=False
    )
    answers = os.fdopen(os.dup(fds[1]))
    first = await asyncio.to_thread(answers.readline)
    await network(rig.control, "set_drops", cluster="east", peers={"west": NETWORKS["west"]})
    os.write(fds[0], b"go\n")
    second = await asyncio.to_thread(answers.readline)
    answers.close()
    for fd in fds:
        os.close(fd)
    assert (first, second) == ("heard\n", "silence\n")


ECHO = """
import socket
with socket.create_server(("0.0.0.0", 8080)) as listener:
    while True:
        peer, _ = listener.accept()
        while data := peer.recv(100):
            peer.sendall(data)
"""
WAIT = """
import socket, time
for _ in range(500):
    try:
        socket.create_connection(("127.0.0.1", 8080)).close()
        break
    except OSError:
        time.sleep(0.01)
"""
TALK = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 8080), timeout=0.5)
peer.sendall(b"1"); peer.recv(10); print("heard")
sys.stdin.readline()
peer.sendall(b"2")
try:
    peer.recv(10); print("heard")
except TimeoutError:
    print("silence")
"""


async def test_drops_are_read_back_from_the_kernel(rig: Any) -> None:
    await network(rig.control, "set_drops", cluster="west", peers={"east": NETWORKS["east"]})
    assert await network(rig.control, "read_drops", cluster="west") == ["east"]
    await network(rig.control, "set_drops", cluster="west", peers={})
    assert await network(rig.control, "read_drops", cluster="west") == []


async def test_a_paused_cluster_is_read_back_as_paused(rig: Any, client: Any) -> None:
    await rig.control.call("pause", cluster="west")
    paused = {row["name"]: row["paused"] for row in (await rig.control.call("list"))["clusters"]}
    await rig.control.call("resume", cluster="west")
    resumed = {row["name"]: row["paused"] for row in (await rig.control.call("list"))["clusters"]}
    assert (paused["west"], paused["east"], resumed["west"]) == (True, False, False)


async def test_a_removed_pods_address_is_not_given_out_at_once(rig: Any) -> None:
    first = await rig.pod("west")
    await rig.control.call("remove-sandbox", pod_uid=first["pod_uid"])
    assert (await rig.pod("west"))["ip"] != first["ip"]


async def test_removed_pods_leave_no_links(rig: Any) -> None:
    before = len(await pods(rig, "west"))
    made = [await rig.pod("west") for _ in range(3)]
    for pod in made:
        await rig.control.call("remove-sandbox", pod_uid=pod["pod_uid"])
    assert len(await pods(rig, "west")) == before


async def test_a_killed_network_worker_is_replaced_and_knows_the_nodes(rig: Any, client: Any) -> None:
    seen = await rig.control.call("list")
    worker = next(c["pid"] for c in seen["components"] if c["key"] == "lab/network")
    await rig.run(client, "sh", "-c", f"kill -9 {worker}")
    assert (await rig.pod("west"))["ip"].startswith("10.20.")
