"""DNS that fails the pods of kind clusters: the rules, and what a pod sees of them on a real Docker."""

import json
from collections.abc import Iterator

import pytest
from dnslib import RR, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from lab.engines.kind import dns
from lab.engines.protocol import DnsFailure, EngineFault
from tests.kind.conftest import Rig

DNS_IP = "10.120.0.10"
HOST = "172.31.7.1"
"""This machine, as seen from the lab's network."""
HALF = (("share", 0.5),)
SERVFAIL = (("servfail", 1.0), ("share", 1.0))


def test_queries_are_lost_before_connection_tracking_and_answers_spoilt_after_it() -> None:
    script = dns.fail(DNS_IP, [HALF, SERVFAIL])[1].split("; ")
    assert [line.removeprefix("add rule inet multicluster_lab ") for line in script if " rule " in line] == [
        "unasked ip daddr 10.120.0.10 meta l4proto { tcp, udp } th dport 53 "
        'numgen random mod 1000000 < 500000 drop comment "share=0.5"',
        'unasked ip daddr 10.120.0.10 meta l4proto tcp th dport 53 drop comment "servfail=1.0 share=1.0"',
        "servfail ip saddr 10.120.0.10 udp sport 53 @th,92,4 set 2 @th,48,16 set 0 "
        'comment "servfail=1.0 share=1.0"',
    ]


def test_a_failure_without_one_of_its_rules_or_for_another_address_is_not_in_force() -> None:
    def rule(chain: str, comment: str, address: str = DNS_IP) -> dict[str, object]:
        return {"rule": {"chain": chain, "comment": comment, "expr": [{"match": {"right": address}}]}}

    spoilt = "servfail=1.0 share=1.0"
    rows = [rule("unasked", "share=0.5"), rule("unasked", spoilt), rule("servfail", spoilt)]
    for kept, found in ((rows, {HALF, SERVFAIL}), (rows[:2], {HALF})):
        assert dns.failing(json.dumps({"nftables": kept}), DNS_IP) == found
    assert dns.failing(json.dumps({"nftables": [rule("unasked", "share=0.5", "10.1.0.10")]}), DNS_IP) == set()
    assert dns.failing("", DNS_IP) == set()


class Everything(BaseResolver):  # type: ignore[misc]
    """Knows every name."""

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        answer = request.reply()
        answer.add_answer(*RR.fromZone(f"{request.q.qname} 5 A 192.0.2.7"))
        return answer


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """Where a DNS server listens, by protocol; it stands for a pod of CoreDNS."""
    servers = {
        name: DNSServer(Everything(), "0.0.0.0", 0, tcp=name == "tcp", logger=DNSLogger("-request,-reply"))
        for name in ("udp", "tcp")
    }
    for server in servers.values():
        server.start_thread()
    yield {name: server.server.server_address[1] for name, server in servers.items()}
    for server in servers.values():
        server.stop()
        server.server.server_close()


def serve(rig: Rig, ports: dict[str, int]) -> None:
    """A pod in west, and the rules by which kube-proxy leads a Service's packets to who serves them."""
    rig.give_pod("west", "10.20.0.5", "10.20.0.0/16")
    rules = "; ".join(
        f"add rule ip proxy services ip daddr {DNS_IP} {name} dport 53 dnat to {HOST}:{port}"
        for name, port in ports.items()
    )
    chain = "add chain ip proxy services { type nat hook prerouting priority -100; }"
    rig.inside("west", "nft", f"add table ip proxy; {chain}; {rules}")


def asked(rig: Rig) -> str:
    """What a pod is told by the cluster's DNS."""
    argv = ("ip", "netns", "exec", "pod", "nslookup", "-retry=1", "-timeout=2", "-type=a", "a.test", DNS_IP)
    return rig.inside("west", *argv, code=None)


def connects(rig: Rig) -> bool:
    """Whether a pod gets a TCP connection to it."""
    said = rig.inside("west", "ip", "netns", "exec", "pod", "sh", "-c",
                      f"nc -w 2 {DNS_IP} 53 </dev/null && echo open", code=None)  # fmt: skip
    return "open" in said


@pytest.mark.slow
@pytest.mark.netns
async def test_queries_of_pods_fail_as_the_fault_says_until_it_is_healed(
    rig: Rig, ports: dict[str, int]
) -> None:
    await rig.up()
    serve(rig, ports)
    assert "192.0.2.7" in asked(rig)
    assert connects(rig)
    servfail, silent, most = (
        EngineFault("dns", frozenset({"west"}), settings=settings)
        for settings in (SERVFAIL, (("share", 1.0),), (("servfail", 1.0), ("share", 0.8)))
    )
    await rig.engine.apply_fault(rig.dir, servfail)
    assert "SERVFAIL" in asked(rig)
    assert not connects(rig)
    await rig.engine.apply_fault(rig.dir, silent)
    assert (await rig.engine.read_faults(rig.dir)).dns == {
        DnsFailure("west", servfail.settings),
        DnsFailure("west", silent.settings),
    }
    assert "timed out" in asked(rig)
    await rig.engine.clear_fault(rig.dir, silent)
    assert "SERVFAIL" in asked(rig)  # each stands by itself
    rig.inside("west", "nft", "flush", "chain", "inet", "multicluster_lab", "servfail")
    assert (await rig.engine.read_faults(rig.dir)).dns == set()
    await rig.engine.clear_fault(rig.dir, servfail)
    await rig.engine.apply_fault(rig.dir, most)
    answers = [asked(rig) for _ in range(24)]  # nslookup asks up to three times: half of them fail
    assert {"SERVFAIL" in one for one in answers} == {True, False}
    await rig.engine.clear_fault(rig.dir, most)
    assert "192.0.2.7" in asked(rig)
    assert connects(rig)
    assert (await rig.engine.read_faults(rig.dir)).dns == set()
