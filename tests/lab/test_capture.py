"""`lab capture` on a real lab: what goes over the wire is encrypted, what reaches the app is in clear."""

import io
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dpkt
import pytest
import yaml

from tests.lab.conftest import ROOT, Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow]

TOPOLOGY = {
    "name": "tapped",
    "clusters": {"west": {}, "east": {}},
    "links": [{"from": "west", "to": "east", "modes": ["flat"]}],
    "apps": [{"app": "echo", "clusters": ["east"], "export": "flat"}],
    "traffic": [{"from": "west", "to": "http://echo-east.echo", "rate": "50/s"}],
}
TLS_DATA = b"\x17\x03\x03"
"""How a record of TLS begins that carries data."""
KUBELETS = {b"\x0a\x14\x00\x01", b"\x0a\x15\x00\x01"}
"""The addresses of west's and east's node among their pods: from there probes come, in clear."""


@pytest.fixture(scope="module")
def lab(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    file = tmp_path_factory.mktemp("tapped") / "tapped.yaml"
    file.write_text(yaml.safe_dump(TOPOLOGY))
    yield from bring_up(cli, str(file), "tapped")


def segments(capture: bytes) -> list[dpkt.tcp.TCP]:
    """The TCP segments of a capture that carry something, but for probes."""
    frames = [dpkt.ethernet.Ethernet(data) for _time, data in dpkt.pcap.Reader(io.BytesIO(capture))]
    packets = [one.data for one in frames if isinstance(one.data, dpkt.ip.IP)]
    inside = [one.data for one in packets if not {one.src, one.dst} & KUBELETS]
    return [one for one in inside if isinstance(one, dpkt.tcp.TCP) and one.data]


def payloads(capture: bytes) -> list[bytes]:
    return [bytes(one.data) for one in segments(capture)]


@pytest.mark.parametrize("target", ["west", "west->east", "east/echo/echo"])
def test_what_goes_between_clusters_is_encrypted(lab: RunningLab, tmp_path: Path, target: str) -> None:
    file = tmp_path / "wire.pcap"
    lab.run("capture", target, "--count", "100", "--for", "20s", "--write", str(file))
    carried = payloads(file.read_bytes())
    assert any(one.startswith(TLS_DATA) for one in carried)
    assert not any(b"HTTP/1.1" in one and b"echo" in one for one in carried)
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_the_app_sees_is_in_clear(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "app.pcap"
    words = ("capture", "east/echo/echo", "--side", "app", "--count", "60", "--for", "20s", "-w", str(file))
    said = json.loads(lab.run(*words, "--json").stdout)
    assert (said["packets"], said["dropped"]) == (60, 0)
    carried = payloads(file.read_bytes())
    assert any(one.startswith(b"GET / HTTP/1.1") and b"l5d-client-id" in one for one in carried)
    assert any(one.startswith(b"HTTP/1.1 200") for one in carried)
    places = [(one.sport, one.dport, one.seq) for one in segments(file.read_bytes())]
    assert len(places) == len(set(places)), "each packet of the loopback is there once"


def test_an_interrupt_ends_it_with_a_whole_file(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "all.pcap"
    running = lab.cli.start("capture", "east", "--lab", lab.name, "--write", str(file))
    lab.eventually("packets in the file", lambda: file.exists() and file.stat().st_size > 10_000)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=20)
    assert running.returncode == 0
    assert f"{len(list(dpkt.pcap.Reader(io.BytesIO(file.read_bytes()))))} packets" in said


def test_a_reader_of_the_stream_gets_packets_as_they_come_and_ends_it_by_leaving(lab: RunningLab) -> None:
    argv = [*lab.cli.python, "-m", "lab.cli", "capture", "east", "--lab", lab.name, "--port", "8080"]
    with subprocess.Popen(
        argv, env=lab.cli.env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        assert running.stdout is not None
        assert running.stdout.read(24)[:4] == b"\x4d\x3c\xb2\xa1"
        assert running.stdout.read(16)
        running.stdout.close()
        assert running.wait(timeout=20) == 0
