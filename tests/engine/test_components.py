"""Supervision of the lab's own programs by init."""

import os
import socket
import sys
from typing import Any

import pytest

from lab.base.wait import until

pytestmark = pytest.mark.netns

SERVER = """
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
listener.setblocking(True)
while True:
    peer, _ = listener.accept()
    peer.sendall(str(os.getpid()).encode())
    peer.close()
"""


def component(**fields: Any) -> dict[str, Any]:
    program = {"cluster": "west", "entry": "", "env": {"PATH": os.environ["PATH"]}}
    return program | {"argv": ["sleep", "600"]} | fields


async def row(rig: Any, key: str) -> dict[str, Any]:
    seen = await rig.control.call("list")
    return next(c for c in seen["components"] if c["key"] == key)


async def wait_for_state(rig: Any, key: str, wanted: str, but_not: int = -1) -> dict[str, Any]:
    async def reached() -> Any:
        seen = await row(rig, key)
        return seen if seen["state"] == wanted and seen["pid"] != but_not else None

    found: dict[str, Any] = await until(reached, timeout=5, what=f"{key} {wanted}", every=0.01)
    return found


async def kill(rig: Any, pid: int) -> None:
    """From inside the lab, whose process numbers init reports."""
    helper = await rig.start("west", await rig.pod("west"), ["sleep", "600"])
    await rig.run(helper, "sh", "-c", f"kill -9 {pid}")


async def test_a_killed_component_is_started_again_and_counted(rig: Any) -> None:
    await rig.control.call("start-component", **component(name="again"))
    first = await wait_for_state(rig, "west/again", "running")
    await kill(rig, first["pid"])
    second = await wait_for_state(rig, "west/again", "running", but_not=first["pid"])
    assert (second["restarts"], second["last_exit"]) == (1, 137)


async def test_a_stopped_component_stays_down(rig: Any) -> None:
    await rig.control.call("start-component", **component(name="stopped"))
    await rig.control.call("stop-component", key="west/stopped")
    assert (await row(rig, "west/stopped"))["state"] == "stopped"


async def test_a_stopped_component_can_be_resumed(rig: Any) -> None:
    await rig.control.call("start-component", **component(name="resumed"))
    await rig.control.call("stop-component", key="west/resumed")
    await rig.control.call("resume-component", key="west/resumed")
    assert (await row(rig, "west/resumed"))["state"] == "running"


async def test_a_crashing_component_waits_between_its_starts(rig: Any) -> None:
    await rig.control.call("start-component", **component(name="crashing", argv=["false"]))
    seen = await wait_for_state(rig, "west/crashing", "restarting")
    await rig.control.call("stop-component", key="west/crashing")
    assert seen["last_exit"] == 1


async def test_a_component_killed_in_a_paused_cluster_starts_after_the_pause(rig: Any) -> None:
    await rig.control.call("start-component", **component(name="held", cluster="east"))
    first = await wait_for_state(rig, "east/held", "running")
    await rig.control.call("pause", cluster="east")
    paused = (await row(rig, "east/held"))["state"]
    await kill(rig, first["pid"])
    down = await wait_for_state(rig, "east/held", "restarting")
    await rig.control.call("resume", cluster="east")
    again = await wait_for_state(rig, "east/held", "running")
    assert (paused, down["pid"], again["restarts"]) == ("paused", 0, 1)


async def test_the_host_port_outlives_the_program_behind_it(rig: Any) -> None:
    port = next(r["port"] for r in (await rig.control.call("list"))["clusters"] if r["name"] == "west")
    argv = [sys.executable, "-c", SERVER, "{fd}"]
    await rig.control.call("start-component", **component(name="server", argv=argv), listener=True)
    first = int(_ask(port))
    await kill(rig, first)
    await wait_for_state(rig, "west/server", "running", but_not=first)
    assert int(_ask(port)) not in (0, first)


async def test_a_stopped_servers_port_closes_connections_at_once(rig: Any) -> None:
    port = next(r["port"] for r in (await rig.control.call("list"))["clusters"] if r["name"] == "east")
    argv = [sys.executable, "-c", SERVER, "{fd}"]
    fields = component(name="refusing", argv=argv, cluster="east")
    await rig.control.call("start-component", **fields, listener=True)
    await rig.control.call("stop-component", key="east/refusing")
    assert _ask(port) == ""


def _ask(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        return peer.recv(100).decode()


async def test_statistics_name_every_running_unit(rig: Any) -> None:
    container = await rig.start("west", await rig.pod("west"), ["sleep", "600"])
    stats = await rig.control.call("stats")
    assert stats[container["id"]]["processes"] == 1
    assert stats["lab/init"]["pss"] > 0
