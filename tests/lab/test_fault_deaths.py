"""Real processes are killed while real faults are made and healed; the next command heals what they leave.

One lab for all. Commands are forks of this process that die, or kill somebody, at their n-th step: a call of
the ledger, the engine or a cluster. Every step and kind in memory: tests/faults/test_death.py.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from lab.base.wait import pause
from lab.engines.embedded.hostpid import HostProcess, start_ticks
from lab.engines.embedded.network.dns import TABLE as DNS_TABLE
from lab.engines.embedded.network.rules import DROP_TABLE, NODE_TABLE
from lab.engines.embedded.nft.transaction import Nft
from lab.engines.protocol import EngineFault
from lab.faults.inject import heal, inject
from lab.faults.model import Fault, Target
from lab.faults.site import Site
from lab.ops import fault as ops
from lab.ops.labs import find
from lab.ops.up import bring_up as up
from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow]
ONE, PAIR = Target(("east",)), Target(("west",), ("east",))
FRONT = Target(("east",), (), "shop", "front")
FAULTS = {
    "partition": Fault("partition-1", "partition", PAIR, 1.0),
    "impair": Fault("impair-1", "impair", PAIR, 1.0, parameters={"delay_us": 20_000}),
    "pause": Fault("pause-1", "pause", ONE, 1.0),
    "api": Fault("api-1", "api", ONE, 1.0),
    "scale": Fault("scale-1", "scale", FRONT, 1.0, parameters={"replicas": 0}),
    "dns": Fault("dns-1", "dns", ONE, 1.0, parameters={"servfail": 1}),
    "http": Fault("http-1", "http", FRONT, 1.0, parameters={"status": 503}),
    "certificate": Fault("certificate-1", "certificate", FRONT, 1.0),
    "node": Fault("node-1", "node", ONE, 1.0),
}
MOST_STEPS = 30
FINISHED = 7


@pytest.fixture(scope="module")
def lab(cli: Cli) -> Iterator[RunningLab]:
    yield from bring_up(cli, "gateway", "fault-deaths")


@pytest.fixture(autouse=True)
def home(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(lab.cli.home))


@dataclass
class Steps:
    """Calls `kill` before the n-th call of a method of what it wraps."""

    at: int
    kill: Callable[[], None]
    count: int = 0

    def of(self, wrapped: Any) -> Any:
        return _Counted(wrapped, self)

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.kill()


@dataclass
class _Counted:
    wrapped: Any
    steps: Steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.wrapped, name)
        if not callable(found):
            return found

        def call(*words: Any, **named: Any) -> Any:
            self.steps.step()
            return found(*words, **named)

        return call


def dies_at(step: int, kill: Callable[[], None], work: Callable[[Site], Any]) -> bool:
    """A command that carries out `work` in a process of its own; false when it ended before its n-th step."""
    pid = os.fork()
    if pid == 0:
        steps = Steps(step, kill)
        try:
            site = find("fault-deaths").site
            site = Site(site.dir, steps.of(site.engine), steps.of(site).connect, steps.of(site.ledger))
            asyncio.run(work(site))
        finally:  # also when it raised, as it may when others die
            os._exit(0 if steps.count >= step else FINISHED)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) != FINISHED


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_host(lab: RunningLab) -> Callable[[], None]:
    def kill() -> None:
        host = HostProcess(lab.host_pid(), start_ticks(lab.host_pid()))
        host.kill()
        while host.is_alive():
            os.sched_yield()

    return kill


def kill_api_server(lab: RunningLab) -> Callable[[], None]:
    """Of east: its process by the name and the namespace that only it has."""
    namespace = os.readlink(f"/proc/{lab.host_pid()}/ns/pid")

    def kill() -> None:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                inside = os.readlink(entry / "ns/pid") == namespace
                if inside and b"east/pki" in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue

    return kill


def assert_as_up_left_it() -> None:
    done = ops.heal((), lab="fault-deaths")
    assert done.ok, done.view


def making(site: Site, kind: str) -> Any:
    return inject(site, FAULTS[kind])


def healing(site: Site, kind: str) -> Any:
    return heal(site, site.ledger.read()[FAULTS[kind].id])


@dataclass
class Deaths:
    """Lets somebody die at every step (or every `stride`-th) of making a fault, and then of healing it."""

    lab: RunningLab
    kind: str
    kill: Callable[[], None]
    after: Callable[[], object] = lambda: None  # each death
    stride: int = 1

    def each_heals(self) -> None:
        """Each leaves what the next command heals."""
        for work in (making, healing):
            for step in range(1, MOST_STEPS, self.stride):
                if work is healing:
                    asyncio.run(making(find(self.lab.name).site, self.kind))
                going = dies_at(step, self.kill, lambda site, work=work: work(site, self.kind))  # type: ignore[misc]
                if going:
                    self.after()
                assert_as_up_left_it()
                if not going:
                    break
            assert 3 < step < MOST_STEPS - self.stride


@pytest.mark.parametrize("kind", FAULTS)
def test_a_command_killed_at_any_step_leaves_what_the_next_one_heals(lab: RunningLab, kind: str) -> None:
    Deaths(lab, kind, kill_me).each_heals()


@pytest.mark.parametrize("kind", ["pause", "scale", "certificate"])
def test_a_lab_whose_host_is_killed_at_any_step_is_brought_back_without_the_fault(
    lab: RunningLab, kind: str
) -> None:
    Deaths(lab, kind, kill_host(lab), lambda: up(find(lab.name)), stride=3).each_heals()


@pytest.mark.parametrize("kind", ["scale", "certificate"])
def test_an_api_server_killed_at_any_step_does_not_keep_a_fault_from_healing(
    lab: RunningLab, kind: str
) -> None:
    Deaths(lab, kind, kill_api_server(lab)).each_heals()


def test_a_lease_ends_although_its_command_is_killed_and_its_keeper_goes(lab: RunningLab) -> None:
    command = lab.cli.start("fault.pause", "east", "--for", "3s", "--lab", lab.name)
    lab.eventually("the fault is recorded", lambda: find(lab.name).site.ledger.read())
    command.kill()
    command.communicate()
    lab.eventually("healed", lambda: not find(lab.name).site.ledger.read(), within=30)
    assert_as_up_left_it()
    lab.eventually("no keeper", lambda: not keepers())


def test_a_keeper_that_was_killed_is_not_needed(lab: RunningLab) -> None:
    lab.run("fault.partition", "west", "east", "--for", "1s")
    for pid in keepers():
        os.kill(pid, signal.SIGKILL)
    asyncio.run(pause(1.2))
    (row,) = lab.cli.json("fault.list", "--lab", lab.name)
    assert row["state"] == "overdue"
    lab.run("fault.pause", "east")  # any fault verb heals what is due
    assert [one["id"] for one in lab.cli.json("fault.list", "--lab", lab.name)] == ["pause-1"]
    assert_as_up_left_it()


def test_the_list_compares_the_record_with_the_kernel(lab: RunningLab) -> None:
    site = find(lab.name).site
    lab.run("fault.partition", "west", "east")
    drop = EngineFault("partition", frozenset({"east"}), frozenset({"west"}), one_way=True)
    asyncio.run(site.engine.clear_fault(site.dir, drop))
    asyncio.run(site.engine.apply_fault(site.dir, EngineFault("pause", frozenset({"east"}))))
    listed = lab.run("fault.list", code=1).stdout
    assert "missing" in listed
    assert "unrecorded" in listed
    assert "cli:" in listed
    assert "pause east: on no record, lifted" in lab.run("fault.heal", "--all").stdout


def test_what_up_did_not_leave_is_told_with_what_to_do(lab: RunningLab) -> None:
    lab.kubectl("west", "-n", "shop", "scale", "deployment", "front", "--replicas=3")
    said = lab.run("fault.heal", "--all", code=1).stdout
    assert "west/shop/front: `up` left 1 replicas, there is 3 replicas" in said
    lab.kubectl("west", "-n", "shop", "scale", "deployment", "front", "--replicas=1")
    lab.run("fault.heal", "--all")


def keepers() -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if b"lab.ops.keeper\0fault-deaths" in _words(entry)
    ]


def _words(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def of_this_machine() -> dict[str, Any]:
    """Everything of the machine's own network and processes that a fault could touch if it went astray."""
    with IPRoute() as ip:
        found = {
            "links": sorted(link.get_attr("IFLA_IFNAME") for link in ip.get_links()),
            "queues": sorted((row["index"], row.get_attr("TCA_KIND")) for row in ip.get_qdiscs()),
            "rules": sorted(str(rule["attrs"]) for rule in ip.get_rules(family=2)),
            "routes": sorted(str(route.get_attr("RTA_DST")) for route in ip.get_routes(family=2)),
        }
    nft = Nft()
    found["nft"] = [nft.rules(table) for table in (DROP_TABLE, NODE_TABLE, DNS_TABLE)]
    nft.close()
    found["stopped"] = sorted(entry.name for entry in Path("/proc").glob("[0-9]*") if _is_stopped(entry))
    return found


def _is_stopped(entry: Path) -> bool:
    """Whether a process outside all labs is stopped; those that may not be looked at are nobody's to stop."""
    try:
        outside = os.readlink(entry / "ns/pid") == os.readlink("/proc/self/ns/pid")
        return outside and (entry / "stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


def is_machine_the_same_through(kinds: tuple[str, ...]) -> bool:
    """Before these faults, while they stand, and after they were healed."""
    before = of_this_machine()
    for kind in kinds:
        asyncio.run(inject(find("fault-deaths").site, replace(FAULTS[kind], id=f"{kind}-1")))
    during = of_this_machine()
    assert_as_up_left_it()
    return before == during == of_this_machine()


def test_nothing_outside_the_lab_is_touched(lab: RunningLab) -> None:
    kinds = ("partition", "impair", "pause", "dns", "node")
    # Others may change the machine meanwhile; what faults do to it, they would do every time.
    assert any(is_machine_the_same_through(kinds) for _ in range(4)), (
        f"{lab.name} is not the only one touched"
    )


def test_down_ends_the_keeper(lab: RunningLab) -> None:
    lab.run("fault.pause", "east", "--for", "10m")
    assert keepers()
    lab.run("down")
    assert not keepers()
