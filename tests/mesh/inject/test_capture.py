"""The capture rules, in a real network namespace."""

import ctypes
import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from pyroute2 import IPRoute
from pyroute2.nftables.main import NFTables

from lab.controlplane.identity.client import SO_MARK
from lab.controlplane.inject import capture
from lab.controlplane.inject.capture import Ports, install, parse_ports, read_back, rules
from lab.controlplane.inject.settings import APP_MARK, INBOUND_PORT, OUTBOUND_PORT, PROXY_MARK

CLONE_NEWNET = 0x40000000


def in_namespace(work: Callable[[], Any]) -> Any:
    """Run `work` in a child with a network namespace of its own; skips where that cannot be had."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            theirs.send(("skip", os.strerror(ctypes.get_errno())))
            return
        try:
            theirs.send(("done", work()))
        except BaseException as error:
            theirs.send(("failed", repr(error)))
            raise

    process = context.Process(target=child)
    process.start()
    outcome, value = ours.recv() if ours.poll(20) else ("failed", "no answer within 20 s")
    process.join(5)
    process.kill()
    if outcome == "skip":
        pytest.skip(f"no network namespaces here: {value}")
    assert outcome == "done", value
    return value


def network() -> None:
    """A veth pair as the way out of the pod; nobody answers at its other end."""
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
        ip.link("add", ifname="eth0", kind="veth", peer="outside")
        index = ip.link_lookup(ifname="eth0")[0]
        ip.addr("add", index=index, address="10.9.0.2", prefixlen=24)
        ip.link("set", index=ip.link_lookup(ifname="outside")[0], state="up")
        ip.link("set", index=index, state="up")
        ip.route("add", dst="default", gateway="10.9.0.1")


def reaches_the_proxy(address: tuple[str, int], mark: int = 0, port: int = OUTBOUND_PORT) -> bool:
    """Whether a connection to `address` ends at the proxy's `port`."""
    with socket.create_server(("0.0.0.0", port)), socket.socket() as client:
        client.settimeout(0.3)
        if mark:
            client.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        try:
            client.connect(address)
        except OSError:
            return False
        return True


def captured(address: tuple[str, int], mark: int = 0, skip: str = "", port: int = OUTBOUND_PORT) -> bool:
    def work() -> bool:
        network()
        install(rules((), parse_ports(skip)))
        return reaches_the_proxy(address, mark, port)

    return bool(in_namespace(work))


def comes_in(mark: int, skip: str = "") -> bool:
    """Whether a connection of the proxy to its own pod ends at its inbound port."""

    def work() -> bool:
        network()
        install(rules(parse_ports(skip), ()))
        return reaches_the_proxy(("10.9.0.2", 80), mark, INBOUND_PORT)

    return bool(in_namespace(work))


pytestmark = pytest.mark.netns


def test_an_outbound_connection_ends_at_the_proxy() -> None:
    assert captured(("192.0.2.1", 80))


def test_the_proxys_own_connections_pass() -> None:
    assert not captured(("192.0.2.1", 80), mark=PROXY_MARK)


def test_the_proxy_reaches_its_own_pod_through_its_inbound_side() -> None:
    assert comes_in(PROXY_MARK)


def test_the_proxy_reaches_its_own_app_directly() -> None:
    assert not comes_in(APP_MARK)


def test_the_proxy_reaches_a_port_of_its_own_pod_that_is_skipped_directly() -> None:
    assert not comes_in(PROXY_MARK, skip="80")


def test_a_skipped_port_passes() -> None:
    assert not captured(("192.0.2.1", 443), skip="443,6443")


def test_a_port_within_a_skipped_range_passes() -> None:
    assert not captured(("192.0.2.1", 9005), skip="9000-9010")


def test_a_port_beside_a_skipped_range_is_captured() -> None:
    assert captured(("192.0.2.1", 9011), skip="9000-9010")


def test_loopback_is_left_alone() -> None:
    assert not captured(("127.0.0.1", 80))


def test_the_original_destination_can_be_read_by_the_proxy() -> None:
    def work() -> tuple[str, int]:
        network()
        install(rules((), ()))
        with socket.create_server(("0.0.0.0", OUTBOUND_PORT)) as proxy:
            client = socket.create_connection(("192.0.2.1", 8080), timeout=1)
            accepted, _ = proxy.accept()
            raw = accepted.getsockopt(socket.SOL_IP, 80, 16)
            client.close()
            accepted.close()
        return socket.inet_ntoa(raw[4:8]), int.from_bytes(raw[2:4], "big")

    assert in_namespace(work) == ("192.0.2.1", 8080)


def test_installing_twice_leaves_one_set_of_rules() -> None:
    def work() -> int:
        for _ in range(2):
            install(rules((), ()))
        with NFTables(nfgen_family=capture.IPV4) as nft:
            return len(read_back(nft))

    assert in_namespace(work) == len(rules((), ()))


def test_inbound_rules_spare_the_proxys_own_ports() -> None:
    spared = [rule.ports for rule in rules((), ()) if rule.chain == capture.PREROUTING and rule.ports]
    assert {ports.first for ports in spared} == {4140, 4143, 4190, 4191}


@pytest.mark.parametrize("text", ["http", "0", "70000", "20-10", "1-2-3"])
def test_a_wrong_port_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_ports(text)


def test_ports_and_ranges_are_read() -> None:
    assert parse_ports("25, 443,9000-9010") == (Ports(25, 25), Ports(443, 443), Ports(9000, 9010))
