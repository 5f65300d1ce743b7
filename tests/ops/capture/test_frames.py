"""Which packets are taken, and that other programs can read what is written of them."""

import io
from ipaddress import IPv4Address, IPv4Network

import dpkt
import pytest

from lab.ops.capture import pcap
from lab.ops.capture.frames import Wanted

WEST, EAST = IPv4Network("10.20.0.0/16"), IPv4Network("10.21.0.0/16")


def frame(source: str, target: str, ports: tuple[int, int] = (40000, 8080)) -> bytes:
    segment = dpkt.tcp.TCP(sport=ports[0], dport=ports[1], data=b"words")
    packet = dpkt.ip.IP(
        src=IPv4Address(source).packed, dst=IPv4Address(target).packed, p=dpkt.ip.IP_PROTO_TCP, data=segment
    )
    packet.len = len(packet)
    return bytes(dpkt.ethernet.Ethernet(data=packet, type=dpkt.ethernet.ETH_TYPE_IP))


CALL = frame("10.20.0.5", "10.21.0.7")
ANSWER = frame("10.21.0.7", "10.20.0.5", (8080, 40000))
LOCAL = frame("10.20.0.5", "10.20.0.6")
ARP = bytes(dpkt.ethernet.Ethernet(data=dpkt.arp.ARP(), type=dpkt.ethernet.ETH_TYPE_ARP))


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), [CALL, ANSWER, LOCAL, ARP]),
        (Wanted(ports=frozenset({8080})), [CALL, ANSWER, LOCAL]),
        (Wanted(ports=frozenset({9000, 40000})), [CALL, ANSWER, LOCAL]),
        (Wanted(ports=frozenset({9000})), []),
        (Wanted(host=IPv4Address("10.21.0.7")), [CALL, ANSWER]),
        (Wanted(between=((WEST,), (EAST,))), [CALL, ANSWER]),
        (Wanted(between=((WEST,), (EAST,)), ports=frozenset({9000})), []),
        (Wanted(between=((EAST,), (EAST,))), []),
    ],
)
def test_packets_are_taken_in_which_every_part_fits(wanted: Wanted, taken: list[bytes]) -> None:
    assert [one for one in (CALL, ANSWER, LOCAL, ARP) if wanted.takes(one)] == taken


@pytest.mark.parametrize("length", range(len(CALL)))
def test_a_frame_that_was_cut_is_judged_by_what_is_there(length: int) -> None:
    ports, host = Wanted(ports=frozenset({8080})), Wanted(host=IPv4Address("10.21.0.7"))
    assert ports.takes(CALL[:length]) is (length >= 14 + 20 + 4)
    assert host.takes(CALL[:length]) is (length >= 14 + 20)


def test_a_later_fragment_has_no_ports() -> None:
    offset = 14 + 6
    later = CALL[:offset] + (185).to_bytes(2, "big") + CALL[offset + 2 :]
    assert not Wanted(ports=frozenset({8080})).takes(later)


def test_a_file_has_the_packets_with_their_times_in_nanoseconds() -> None:
    stamp = 1_700_000_000_123_456_789
    file = io.BytesIO(pcap.header() + pcap.record(stamp, CALL, len(CALL)) + pcap.record(stamp, ARP[:10], 42))
    reader = dpkt.pcap.Reader(file)
    assert reader.datalink() == dpkt.pcap.DLT_EN10MB
    (first, call), (_second, cut) = list(reader)
    assert int(first * 1_000_000_000) == stamp
    assert (call, cut) == (CALL, ARP[:10])
    assert dpkt.ethernet.Ethernet(call).data.data.data == b"words"
