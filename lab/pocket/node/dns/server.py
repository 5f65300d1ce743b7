"""The DNS server of a cluster: UDP and TCP on the DNS Service's address, answered from memory.

There is no upstream: a name outside the cluster is answered NXDOMAIN at once, so that nobody waits.
"""

import asyncio
import random
import struct
from typing import cast

from dnslib import (
    AAAA,
    CNAME,
    EDNS0,
    PTR,
    QTYPE,
    RCODE,
    RR,
    SOA,
    SRV,
    TXT,
    A,
    DNSError,
    DNSHeader,
    DNSRecord,
)

from lab.base.log import get_logger
from lab.pocket.node.dns.zone import Record, Zone, answer

log = get_logger(__name__)
TTL = 5
NEGATIVE_TTL = 5
PLAIN_UDP_LIMIT, UDP_LIMIT = 512, 1232
"""What a datagram may hold for a client that says nothing, and for any client (no fragments on the way)."""


async def serve(zone: Zone | None, ip: str, port: int) -> None:
    """Answer until cancelled; without a zone every query is answered SERVFAIL."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(zone), local_addr=(ip, port))
    try:
        server = await asyncio.start_server(lambda r, w: _stream(zone, r, w), ip, port)
        async with server:
            await server.serve_forever()
    finally:
        transport.close()


def respond(zone: Zone | None, packet: bytes, *, udp: bool = False) -> bytes | None:
    """The answer to one DNS message, cut to what a datagram may hold; None for what is not a query."""
    try:
        request = DNSRecord.parse(packet)
    except DNSError:
        return _format_error(packet)
    if request.header.qr or not request.questions:
        return None
    reply = DNSRecord(
        DNSHeader(id=request.header.id, qr=1, aa=1, rd=request.header.rd, ra=1), q=request.questions[0]
    )
    if request.header.opcode != 0:
        reply.header.rcode = RCODE.NOTIMP
        return bytes(reply.pack())
    if zone is None:
        reply.header.rcode = RCODE.SERVFAIL
        return bytes(reply.pack())
    _fill(reply, zone, str(request.q.qname), QTYPE.get(request.q.qtype))
    edns = next((r for r in request.ar if r.rtype == QTYPE.OPT), None)
    if edns is not None:
        reply.add_ar(EDNS0(udp_len=UDP_LIMIT))
    packed = bytes(reply.pack())
    if udp and len(packed) > _datagram_limit(edns):
        # The question stays: resolvers take no answer without one, and would not ask again over TCP.
        reply.header.tc, reply.rr, reply.auth = 1, [], []
        reply.ar = [record for record in reply.ar if record.rtype == QTYPE.OPT]
        packed = bytes(reply.pack())
    return packed


def _datagram_limit(edns: RR | None) -> int:
    """A client that names its limit (RFC 6891) has it in the class field."""
    return PLAIN_UDP_LIMIT if edns is None else min(max(edns.rclass, PLAIN_UDP_LIMIT), UDP_LIMIT)


def _fill(reply: DNSRecord, zone: Zone, name: str, kind: str) -> None:
    found = answer(zone, name, kind)
    records = list(found.records)
    random.shuffle(records)
    records.sort(key=lambda record: record.type != "CNAME")  # an alias stands before what it leads to
    for record in records:
        reply.add_answer(_rr(record))
    for record in found.extra:
        reply.add_ar(_rr(record))
    if not found.exists:
        reply.header.rcode = RCODE.NXDOMAIN
    if not records:
        reply.header.aa = int(found.ours)
        times = (1, 7200, 1800, 86400, NEGATIVE_TTL)
        origin = zone.domain if found.ours else "."
        soa = SOA(f"ns.dns.{zone.domain}", f"hostmaster.{zone.domain}", times)
        reply.add_auth(RR(origin, QTYPE.SOA, rdata=soa, ttl=NEGATIVE_TTL))


def _rr(record: Record) -> RR:
    match record.type:
        case "A":
            data = A(record.data)
        case "AAAA":
            data = AAAA(record.data)
        case "CNAME":
            data = CNAME(record.data)
        case "PTR":
            data = PTR(record.data)
        case "TXT":
            data = TXT(record.data)
        case _:
            priority, weight, port, target = record.data
            data = SRV(priority, weight, port, target)
    return RR(record.name, getattr(QTYPE, record.type), rdata=data, ttl=TTL)


def _format_error(packet: bytes) -> bytes | None:
    if len(packet) < 2:
        return None
    header = DNSHeader(id=struct.unpack("!H", packet[:2])[0], qr=1, rcode=RCODE.FORMERR)
    return bytes(DNSRecord(header).pack())


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone | None) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # 3.11's is none by inheritance

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = respond(self._zone, data, udp=True)
        if reply and self._transport:
            self._transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("a DNS answer could not be delivered", error=exc)


async def _stream(zone: Zone | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Any number of queries over one TCP connection."""
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            reply = respond(zone, await reader.readexactly(length))
            if reply is None:
                return
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the client has hung up
    finally:
        writer.close()
