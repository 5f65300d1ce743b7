"""What the engine can break in one cluster, in real namespaces: a whole node, and the DNS of its pods."""

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lab.base.wait import until
from lab.engines.embedded import faults
from lab.engines.embedded.control import Control
from lab.engines.protocol import EngineFault
from tests.engine.conftest import DNS

pytestmark = pytest.mark.netns

WEST = frozenset({"west"})
NODE = EngineFault("node", WEST)
ANSWERING = """
import selectors, socket, sys
found = selectors.DefaultSelector()
for port in (53, 5354):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((sys.argv[1], port))
    found.register(s, selectors.EVENT_READ, str(port).encode())
while True:
    for key, _ in found.select():
        key.fileobj.sendto(key.data, key.fileobj.recvfrom(2000)[1])
"""
QUERIES = """
import socket, sys
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(float(sys.argv[3]))
    s.sendto(b"who?", (sys.argv[1], 53))
    try:
        print(s.recv(100).decode())
    except OSError:
        print("silence")
"""


def dns_fault(share: float, *, servfail: bool = False) -> EngineFault:
    settings = (("servfail", 1.0), ("share", share)) if servfail else (("share", share),)
    return EngineFault("dns", WEST, settings=settings)


async def component(rig: Any, name: str, *argv: str) -> None:
    env = {"PATH": os.environ["PATH"]}
    await rig.control.call("start-component", cluster="west", name=name, entry="", env=env, argv=list(argv))


@pytest.fixture
async def client(rig: Any) -> Any:
    return await rig.start("west", await rig.pod("west"), ["sleep", "600"])


@pytest.fixture
async def dns(rig: Any, client: Any, control: Control) -> AsyncIterator[None]:
    """Something that answers at the ports of a node's DNS with their numbers."""
    await component(rig, "dns", sys.executable, "-c", ANSWERING, DNS["west"])
    await until(lambda: _is("53", rig, client), timeout=10, what="an answer")
    yield
    for one in (await faults.read(control)).dns:
        await faults.clear(control, EngineFault("dns", WEST, settings=one.settings))
    await rig.control.call("stop-component", key="west/dns")


async def _is(wanted: str, rig: Any, client: Any) -> bool:
    return await ask(rig, client) == [wanted]


async def ask(rig: Any, client: Any, times: int = 1, patience: float = 0.2) -> list[str]:
    argv = (DNS["west"], str(times), str(patience))
    said: str = await rig.run(client, sys.executable, "-c", QUERIES, *argv)
    return said.split()


@pytest.mark.usefixtures("dns")
async def test_queries_of_pods_go_unanswered_until_the_failure_is_lifted(
    rig: Any, client: Any, control: Control
) -> None:
    await faults.apply(control, dns_fault(1))
    assert await ask(rig, client, 3) == ["silence"] * 3
    await faults.clear(control, dns_fault(1))
    assert await ask(rig, client, 3) == ["53"] * 3


@pytest.mark.usefixtures("dns")
async def test_queries_are_led_to_the_port_that_answers_servfail(
    rig: Any, client: Any, control: Control
) -> None:
    await faults.apply(control, dns_fault(1, servfail=True))
    assert await ask(rig, client, 3) == ["5354"] * 3


@pytest.mark.usefixtures("dns")
async def test_only_the_asked_share_of_queries_fails(rig: Any, client: Any, control: Control) -> None:
    await faults.apply(control, dns_fault(0.3, servfail=True))
    assert 60 <= (await ask(rig, client, 300)).count("5354") <= 120  # 90, and nearly four deviations


@pytest.mark.usefixtures("dns")
async def test_two_failures_combine_and_lifting_one_leaves_the_other(
    rig: Any, client: Any, control: Control
) -> None:
    await faults.apply(control, dns_fault(1, servfail=True))
    await faults.apply(control, dns_fault(1))
    assert await ask(rig, client) == ["silence"]
    await faults.clear(control, dns_fault(1))
    assert await ask(rig, client) == ["5354"]


async def test_a_killed_node_is_gone_with_its_pods_and_stays_down(
    rig: Any, client: Any, control: Control
) -> None:
    await component(rig, "node", "sleep", "600")
    other = await rig.start("east", await rig.pod("east"), ["sleep", "600"])
    await faults.apply(control, NODE)
    await faults.apply(control, NODE)  # once more changes nothing
    assert (await rig.end_of(client["id"]))["exit_code"] == 137
    assert await rig.run(other, "echo", "unharmed") == "unharmed\n"
    await faults.clear(control, NODE)
    seen = await control.call("list")
    states = {row["key"]: row["state"] for row in seen["components"]}
    assert states["west/node"] == "running"
    await control.call("stop-component", key="west/node")
