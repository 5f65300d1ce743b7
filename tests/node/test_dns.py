"""DNS answers by name and type, from Services and EndpointSlices in memory."""

from dataclasses import replace
from typing import Any

import pytest
from dnslib import EDNS0, RCODE, DNSRecord

from lab.pocket.node.dns.server import respond
from lab.pocket.node.dns.zone import Zone, answer

Object = dict[str, Any]


def service(name: str, **spec: Any) -> Object:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec}


SERVICES = {
    "front": service(
        "front", clusterIP="10.120.0.9", ports=[{"name": "http", "port": 80, "protocol": "TCP"}]
    ),
    "db": service("db", clusterIP="None", ports=[{"name": "sql", "port": 5432}]),
    "out": service("out", type="ExternalName", externalName="front.shop.svc.cluster.local"),
    "away": service("away", type="ExternalName", externalName="example.com"),
    "lost": service("lost", type="ExternalName", externalName="absent.shop.svc.cluster.local"),
    "idle": service("idle", clusterIP="None", ports=[{"name": "sql", "port": 5432}]),
    "early": service("early", clusterIP="None", publishNotReadyAddresses=True),
    "many": service("many", clusterIP="None"),
}
SLICE = {
    "endpoints": [
        {"addresses": ["10.20.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.20.0.6"], "conditions": {"ready": True}},
        {"addresses": ["10.20.0.7"], "conditions": {"ready": False}},
    ],
    "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
}
OTHER_SLICE = {
    "endpoints": [{"addresses": ["10.20.0.8"], "hostname": "Upper", "conditions": {"ready": True}}],
    "ports": [{"name": "sql", "port": 9999, "protocol": "TCP"}],
}
UNREADY = {"endpoints": [{"addresses": ["10.20.0.7"], "conditions": {"ready": False}}]}
MANY = {"endpoints": [{"addresses": [f"10.20.1.{i}"]} for i in range(1, 100)]}
SLICES = {"db": [SLICE, OTHER_SLICE], "idle": [UNREADY], "early": [UNREADY], "many": [MANY]}
ZONE = Zone(
    domain="cluster.local",
    service=lambda space, name: SERVICES.get(name) if space == "shop" else None,
    slices=lambda space, name: SLICES.get(name, []),
    has_namespace=lambda space: space == "shop",
    owner=lambda ip: SERVICES["front"] if ip == "10.120.0.9" else None,
    endpoints=lambda ip: [(SERVICES["db"], "db-0")] if ip == "10.20.0.5" else [],
)

THIRTY = replace(
    ZONE,
    service=lambda space, name: service("thirty", clusterIP="None"),
    slices=lambda space, name: [{"endpoints": MANY["endpoints"][:30]}],
)


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        pytest.param("front.shop.svc.cluster.local.", "A", ["10.120.0.9"], id="cluster ip"),
        pytest.param("FRONT.Shop.svc.cluster.local", "A", ["10.120.0.9"], id="without case"),
        pytest.param(
            "db.shop.svc.cluster.local",
            "A",
            ["10.20.0.5", "10.20.0.6", "10.20.0.8"],
            id="headless: ready pods",
        ),
        pytest.param("db-0.db.shop.svc.cluster.local", "A", ["10.20.0.5"], id="hostname of a headless pod"),
        pytest.param("10-20-0-6.db.shop.svc.cluster.local", "A", ["10.20.0.6"], id="dashed headless pod"),
        pytest.param("10-20-0-9.shop.pod.cluster.local", "A", ["10.20.0.9"], id="pod by dashed address"),
        pytest.param(
            "9.0.120.10.in-addr.arpa", "PTR", ["front.shop.svc.cluster.local"], id="reverse service"
        ),
        pytest.param("5.0.20.10.in-addr.arpa", "PTR", ["db-0.db.shop.svc.cluster.local"], id="reverse pod"),
        pytest.param("away.shop.svc.cluster.local", "A", ["example.com"], id="alias to the outside"),
        pytest.param(
            "out.shop.svc.cluster.local",
            "A",
            ["front.shop.svc.cluster.local", "10.120.0.9"],
            id="alias followed",
        ),
        pytest.param(
            "_http._tcp.front.shop.svc.cluster.local",
            "SRV",
            [(0, 100, 80, "front.shop.svc.cluster.local")],
            id="srv of a service",
        ),
        pytest.param(
            "_sql._tcp.db.shop.svc.cluster.local",
            "SRV",
            [
                (0, 100, port, f"{host}.db.shop.svc.cluster.local")
                for host, port in (("10-20-0-6", 5432), ("db-0", 5432), ("upper", 9999))
            ],
            id="srv of headless pods, each with its own port",
        ),
        pytest.param("dns-version.cluster.local", "TXT", ["1.1.0"], id="schema version"),
        pytest.param("early.shop.svc.cluster.local", "A", ["10.20.0.7"], id="pods published before ready"),
        pytest.param("upper.db.shop.svc.cluster.local", "A", ["10.20.0.8"], id="host label without case"),
    ],
)
def test_answer(name: str, kind: str, data: list[Any]) -> None:
    found = answer(ZONE, name, kind)
    assert found.exists
    assert sorted(map(str, (r.data for r in found.records))) == sorted(map(str, data))


@pytest.mark.parametrize(
    ("name", "kind", "exists"),
    [
        pytest.param("front.shop.svc.cluster.local", "AAAA", True, id="the name is there, no such record"),
        pytest.param("shop.svc.cluster.local", "A", True, id="a namespace is an empty name"),
        pytest.param("svc.cluster.local", "A", True, id="so is svc"),
        pytest.param("absent.shop.svc.cluster.local", "A", False, id="no such service"),
        pytest.param("front.absent.svc.cluster.local", "A", False, id="no such namespace"),
        pytest.param("x.front.shop.svc.cluster.local", "A", False, id="below a cluster ip service"),
        pytest.param("10-20-0-7.db.shop.svc.cluster.local", "A", False, id="pod that is not ready"),
        pytest.param("example.com", "A", False, id="outside the cluster"),
        pytest.param("dns-version.cluster.local", "A", True, id="the version has no address"),
        pytest.param("idle.shop.svc.cluster.local", "A", False, id="headless without a ready pod"),
        pytest.param("_sql._tcp.idle.shop.svc.cluster.local", "SRV", False, id="srv without a ready pod"),
        pytest.param("_grpc._tcp.front.shop.svc.cluster.local", "SRV", False, id="no such port"),
    ],
)
def test_empty_answer(name: str, kind: str, exists: bool) -> None:
    found = answer(ZONE, name, kind)
    assert (found.records, found.exists) == ((), exists)


def test_absent_name_is_nxdomain_with_a_soa_on_the_wire() -> None:
    packet = respond(ZONE, DNSRecord.question("absent.shop.svc.cluster.local").pack())
    assert packet is not None
    reply = DNSRecord.parse(packet)
    assert (reply.header.rcode, len(reply.auth)) == (RCODE.NXDOMAIN, 1)


def asked(name: str, kind: str = "A", *, udp: bool = False, edns: int = 0) -> DNSRecord:
    question = DNSRecord.question(name, kind)
    if edns:
        question.add_ar(EDNS0(udp_len=edns))
    packet = respond(ZONE, question.pack(), udp=udp)
    assert packet is not None
    return DNSRecord.parse(packet)


def test_alias_to_an_absent_name_of_the_cluster_is_nxdomain() -> None:
    reply = asked("lost.shop.svc.cluster.local")
    assert (reply.header.rcode, len(reply.rr)) == (RCODE.NXDOMAIN, 1)


def test_srv_answer_brings_the_addresses_of_its_targets() -> None:
    reply = asked("_http._tcp.front.shop.svc.cluster.local", "SRV")
    assert [(str(r.rname), str(r.rdata)) for r in reply.ar] == [
        ("front.shop.svc.cluster.local.", "10.120.0.9")
    ]


@pytest.mark.parametrize("edns", [0, 1232, 4096])
def test_answer_too_large_for_a_datagram_is_truncated_and_whole_over_tcp(edns: int) -> None:
    name = "many.shop.svc.cluster.local"
    cut, whole = asked(name, udp=True, edns=edns), asked(name, edns=edns)
    assert (cut.header.tc, len(cut.rr), whole.header.tc, len(whole.rr)) == (1, 0, 0, 99)
    assert str(cut.q.qname) == f"{name}."


def test_client_that_names_no_limit_gets_at_most_512_bytes() -> None:
    """Thirty addresses fit into what a client with EDNS takes, but not into 512 bytes."""
    packets = {}
    for edns in (0, 1232):
        question = DNSRecord.question("thirty.shop.svc.cluster.local")
        if edns:
            question.add_ar(EDNS0(udp_len=edns))
        packets[edns] = DNSRecord.parse(respond(THIRTY, question.pack(), udp=True))
    assert (packets[0].header.tc, packets[1232].header.tc) == (1, 0)


def test_garbage_gets_a_format_error() -> None:
    packet = respond(ZONE, b"\x12\x34garbage")
    assert packet is not None
    assert DNSRecord.parse(packet).header.rcode == RCODE.FORMERR
