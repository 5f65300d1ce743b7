"""`lab capture`: the packets of a pod, a node or a link, as a pcap file or stream.

Bounded by size, time and number; a signal ends it between two packets, so that what was written is whole.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import BinaryIO

from lab.base.errors import UsageError
from lab.ops.answer import Answer
from lab.ops.capture import pcap
from lab.ops.capture.frames import EVERYTHING, Wanted
from lab.ops.capture.packets import Tap
from lab.ops.capture.place import tapped
from lab.ops.labs import find
from lab.topology.grammar import parse_duration

STDOUT = "-"
MEGABYTES = 100
"""After so much a capture ends, unless another limit is given."""


@dataclass(frozen=True)
class Limits:
    """What ends a capture besides Ctrl-C; 0 is no limit."""

    seconds: float = 0.0
    count: int = 0
    megabytes: int = MEGABYTES


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    lab: str = ""
    side: str = ""
    write: str = STDOUT
    wanted: Wanted = EVERYTHING
    limits: Limits = Limits()


@dataclass
class Taken:
    """What a capture has so far."""

    packets: int = 0
    size: int = 0
    ended: str = "stopped"


def limits(for_: str, count: int, megabytes: int) -> Limits:
    """The limits in words of the command line. Raises UsageError."""
    if count < 0 or megabytes < 0:
        raise UsageError("--count and --megabytes are at least 1, or 0 for no limit")
    try:
        return Limits(parse_duration(for_) if for_ else 0.0, count, megabytes)
    except ValueError as error:
        raise UsageError(f'--for "{for_}": found no duration', remedy=f"use {error}") from error


def filtered(port: int, address: str) -> Wanted:
    """The filter in words of the command line. Raises UsageError."""
    if not 0 <= port < 1 << 16:
        raise UsageError(f"--port {port}: no port", remedy="use one from 1 to 65535")
    try:
        host = IPv4Address(address) if address else None
    except ValueError as error:
        raise UsageError(f'--address "{address}": no IPv4 address', remedy="such as 10.20.0.5") from error
    return Wanted(frozenset({port} if port else ()), host)


def capture(target: str, asked: Asked) -> Answer:
    """Write packets until a limit is reached or Ctrl-C. The answer says how many, and how many were lost."""
    lab = find(asked.lab)
    _check(asked)
    tap, place = asyncio.run(tapped(lab, target, asked.side, asked.wanted))
    with _output(asked.write) as file, _until_stopped() as is_stopped:
        sys.stderr.write(f"capturing {place.words}; Ctrl-C ends it\n")
        taken = _write(tap, file, place.wanted, asked.limits, is_stopped)
    dropped = tap.dropped()
    where = "" if asked.write == STDOUT else f" in {asked.write}"
    counts = f"{taken.packets} packets, {taken.size} bytes{where}; {dropped} dropped by the kernel"
    data = {
        "file": asked.write,
        "packets": taken.packets,
        "bytes": taken.size,
        "dropped": dropped,
        "ended": taken.ended,
    }
    return Answer(data, f"{place.words}: {counts}; {taken.ended}")


def _check(asked: Asked) -> None:
    if asked.write == STDOUT and sys.stdout.isatty():
        raise UsageError(
            "packets would go to the terminal",
            remedy="--write FILE, or a pipe: lab capture … | tcpdump -r -, … | wireshark -k -i -",
        )
    if asked.write != STDOUT and not Path(asked.write).parent.is_dir():
        raise UsageError(f"--write {asked.write}: there is no folder {Path(asked.write).parent}")


@contextmanager
def _output(word: str) -> Iterator[BinaryIO]:
    """Where packets go. A file is its owner's alone: what an app says in clear is in it."""
    if word == STDOUT:
        yield sys.stdout.buffer
        return
    with open(word, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        yield file


class _Stop:
    """Whether a signal asked for the end."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _number: int, _frame: object) -> None:
        self.asked = True


@contextmanager
def _until_stopped() -> Iterator[_Stop]:
    """Take signals as the wish to end: an exception could come in the middle of a record."""
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(tap: Tap, file: BinaryIO, wanted: Wanted, limits: Limits, stop: _Stop) -> Taken:
    taken = Taken()
    file.write(pcap.header())
    file.flush()
    ends = time.monotonic() + (limits.seconds or float("inf"))
    most = limits.megabytes * 1_000_000 or float("inf")
    for packet in tap.packets(file.fileno()):
        if packet is None:
            file.flush()  # whoever reads the pipe sees everything up to the pause
        elif wanted.takes(packet.data):
            file.write(pcap.record(packet.nanoseconds, packet.data, packet.length))
            taken.packets += 1
            taken.size += packet.length
        if taken.size >= most:
            taken.ended = f"{limits.megabytes} MB are full (--megabytes)"
        elif limits.count and taken.packets >= limits.count:
            taken.ended = "all that were asked for"
        elif time.monotonic() >= ends:
            taken.ended = "its time is over"
        elif not stop.asked:
            continue
        break
    file.flush()
    return taken
