"""DNS answers by name and type, from Services and EndpointSlices in memory."""

from typing import Any

import pytest
from dnslib import RCODE, DNSRecord

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
}
SLICE = {
    "endpoints": [
        {"addresses": ["10.20.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.20.0.6"], "conditions": {"ready": True}},
        {"addresses": ["10.20.0.7"], "conditions": {"ready": False}},
    ],
    "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
}
ZONE = Zone(
    domain="cluster.local",
    service=lambda space, name: SERVICES.get(name) if space == "shop" else None,
    slices=lambda space, name: [SLICE] if name == "db" else [],
    has_namespace=lambda space: space == "shop",
    owner=lambda ip: SERVICES["front"] if ip == "10.120.0.9" else None,
    endpoint=lambda ip: (SERVICES["db"], "db-0") if ip == "10.20.0.5" else None,
)


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        pytest.param("front.shop.svc.cluster.local.", "A", ["10.120.0.9"], id="cluster ip"),
        pytest.param("FRONT.Shop.svc.cluster.local", "A", ["10.120.0.9"], id="without case"),
        pytest.param("db.shop.svc.cluster.local", "A", ["10.20.0.5", "10.20.0.6"], id="headless: ready pods"),
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
            [(0, 100, 5432, f"{h}.db.shop.svc.cluster.local") for h in ("10-20-0-6", "db-0")],
            id="srv of headless pods",
        ),
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


def test_answer_too_large_for_udp_is_truncated() -> None:
    packet = respond(ZONE, DNSRecord.question("db.shop.svc.cluster.local").pack(), limit=40)
    assert packet is not None
    assert DNSRecord.parse(packet).header.tc == 1


def test_garbage_gets_a_format_error() -> None:
    packet = respond(ZONE, b"\x12\x34garbage")
    assert packet is not None
    assert DNSRecord.parse(packet).header.rcode == RCODE.FORMERR
