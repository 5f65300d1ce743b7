"""Impaired paths between clusters, in real namespaces: what packets suffer, and who is spared."""

import statistics
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lab.engines.embedded.wan.change import Layers, change
from lab.engines.embedded.wan.paths import Layer

pytestmark = pytest.mark.netns

FLAT = {"west": {"10.21.0.0/16": "172.28.0.11"}, "east": {"10.20.0.0/16": "172.28.0.10"}}
PORT = "7000"
DATAGRAMS = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    data, peer = s.recvfrom(2000)
    s.sendto(data, peer)
"""
READY = """
import socket, sys, time
for _ in range(500):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.02)
    try:
        s.connect(("127.0.0.1", int(sys.argv[1]))); s.send(b"x"); s.recv(10); break
    except OSError:
        time.sleep(0.01)
"""
ROUND_TRIPS = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(float(sys.argv[4]))
for n in range(int(sys.argv[3])):
    begin = time.monotonic()
    s.sendto(b"%d" % n, (sys.argv[1], int(sys.argv[2])))
    try:
        while s.recv(100) != b"%d" % n: pass
        print((time.monotonic() - begin) * 1000)
    except OSError:
        print("lost")
"""
REFUSED = """
import socket, sys, time
begin = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 1))
except ConnectionRefusedError:
    print((time.monotonic() - begin) * 1000)
"""
BULK = """
import socket, sys, time
size = int(sys.argv[2])
for _ in range(500):
    try:
        socket.create_connection((sys.argv[1], 8081)).close()
        break
    except OSError:
        time.sleep(0.01)
with socket.create_connection((sys.argv[1], 8081), timeout=20) as peer:
    begin = time.monotonic()
    left = size
    while left:
        left -= len(peer.recv(65536))
    print(size * 8 / (time.monotonic() - begin) / 1e6)
"""
SOURCE = """
import contextlib, socket, sys
with socket.create_server(("0.0.0.0", 8081)) as listener:
    while True:
        peer, _ = listener.accept()
        with peer, contextlib.suppress(OSError):
            peer.sendall(bytes(int(sys.argv[1])))
"""


def asking(*layers: Layer) -> Callable[[Layers], Layers]:
    return lambda before: layers


def link(source: str, target: str, **settings: float) -> Layer:
    return Layer(source, target, tuple(sorted(settings.items())), of_link=True)


def both_ways(**settings: float) -> Callable[[Layers], Layers]:
    return asking(link("west", "east", **settings), link("east", "west", **settings))


@pytest.fixture
async def flat(rig: Any) -> AsyncIterator[None]:
    for cluster, routes in FLAT.items():
        await rig.control.call(
            "network", function="set_routes", arguments={"cluster": cluster, "routes": routes}
        )
    yield
    await change(rig.control, asking())
    for cluster in FLAT:
        await rig.control.call("network", function="set_routes", arguments={"cluster": cluster, "routes": {}})


@pytest.fixture
async def client(rig: Any) -> Any:
    return await rig.start("west", await rig.pod("west"), ["sleep", "600"])


@pytest.fixture
async def server(rig: Any, flat: None) -> str:
    pod = await rig.pod("east")
    container = await rig.start("east", pod, [sys.executable, "-u", "-c", DATAGRAMS, PORT])
    await rig.run(container, sys.executable, "-c", READY, PORT)
    return str(pod["ip"])


async def round_trips(rig: Any, client: Any, address: str, count: int, patience: float = 2) -> list[str]:
    words = (sys.executable, "-c", ROUND_TRIPS, address, PORT, str(count), str(patience))
    text: str = await rig.run(client, *words)
    return text.split()


async def test_a_delay_is_added_in_each_direction_to_packets_between_pods(
    rig: Any, client: Any, server: str
) -> None:
    await change(rig.control, both_ways(delay=0.05))
    times = [float(word) for word in await round_trips(rig, client, server, 20)]
    assert 100 <= statistics.median(times) < 130


async def test_a_delay_that_is_taken_away_is_gone_and_the_packets_no_longer_pass_the_relay(
    rig: Any, client: Any, server: str
) -> None:
    await change(rig.control, both_ways(delay=0.1))
    await change(rig.control, asking())
    times = [float(word) for word in await round_trips(rig, client, server, 20)]
    seen = await rig.control.call("network", function="describe_network", arguments={})
    assert statistics.median(times) < 50
    assert {name: row["detours"] for name, row in seen.items()} == {"west": [], "east": []}


async def test_one_way_is_one_way_and_packets_back_do_not_pass_the_relay(
    rig: Any, client: Any, server: str
) -> None:
    await change(rig.control, asking(link("west", "east", delay=0.06)))
    times = [float(word) for word in await round_trips(rig, client, server, 20)]
    seen = await rig.control.call("network", function="describe_network", arguments={})
    assert 60 <= statistics.median(times) < 100
    assert seen["west"]["detours"] == ["10.21.0.0/16", "172.28.0.11/32"]
    assert seen["east"]["detours"] == []


async def test_packets_to_a_nodes_address_are_impaired_too(rig: Any, client: Any, flat: None) -> None:
    await change(rig.control, both_ways(delay=0.05))
    times = (await rig.run(client, sys.executable, "-c", REFUSED, "172.28.0.11")).split()
    assert 100 <= float(times[0]) < 200


async def test_a_share_of_packets_is_lost(rig: Any, client: Any, server: str) -> None:
    await change(rig.control, asking(link("west", "east", loss=0.5)))
    lost = (await round_trips(rig, client, server, 60, patience=0.1)).count("lost")
    assert 12 <= lost <= 48


async def test_a_rate_bounds_what_gets_through(rig: Any, client: Any, flat: None) -> None:
    size = 2_000_000
    pod = await rig.pod("east")
    await rig.start("east", pod, [sys.executable, "-u", "-c", SOURCE, str(size)])
    await change(rig.control, both_ways(rate=10e6))
    text = await rig.run(client, sys.executable, "-c", BULK, pod["ip"], str(size))
    assert 5 < float(text) < 11


async def test_connections_survive_a_change_and_addresses_stay_as_they_are(
    rig: Any, client: Any, flat: None
) -> None:
    server = await rig.serve("east", "far")
    await change(rig.control, both_ways(delay=0.02))
    seen = await rig.control.call("list")
    own = next(
        pod["ip"] for row in seen["clusters"] for pod in row["pods"] if pod["pod_uid"] == client["pod_uid"]
    )
    assert await rig.ask(client, server["ip"], 8080) == f"far to {own}"


async def test_a_partition_cuts_an_impaired_path(rig: Any, client: Any, flat: None) -> None:
    server = await rig.serve("east", "far")
    await change(rig.control, both_ways(delay=0.01))
    peers = {"west": ["10.20.0.0/16", "172.28.0.10/32"]}
    await rig.control.call("network", function="set_drops", arguments={"cluster": "east", "peers": peers})
    try:
        assert await rig.ask(client, server["ip"], 8080) == "TimeoutError"
    finally:
        await rig.control.call("network", function="set_drops", arguments={"cluster": "east", "peers": {}})


async def test_a_killed_relay_comes_back_and_goes_on(rig: Any, client: Any, server: str) -> None:
    await change(rig.control, both_ways(delay=0.05))
    relay = next(c for c in (await rig.control.call("list"))["components"] if c["key"] == "lab/relay")
    await rig.run(client, "sh", "-c", f"kill -9 {relay['pid']}")
    await rig.control.call("relay", function="read_table", arguments={})  # answered once it is back
    times = [float(word) for word in await round_trips(rig, client, server, 10) if word != "lost"]
    assert 100 <= statistics.median(times) < 130


async def test_pods_that_may_not_reach_each_other_do_not_by_way_of_the_relay(rig: Any, client: Any) -> None:
    server = await rig.serve("east", "far")
    await change(rig.control, both_ways(delay=0.01))
    try:
        assert await rig.ask(client, server["ip"], 8080) in ("TimeoutError", "OSError")
    finally:
        await change(rig.control, asking())
