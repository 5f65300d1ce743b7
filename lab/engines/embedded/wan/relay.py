"""The relay: a child of init through which packets of impaired paths pass, and no others.

It runs in the lab's root network namespace. Packets come out of a TUN device with their addresses as they
were, wait as their lane says, and go back into it, from where the kernel brings them to their cluster.
What it is to do comes from init as one table, replaced as a whole; a file lets a restarted relay go on.
"""

import heapq
import json
import os
import select
import socket
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from random import Random
from typing import Any

from lab.base.log import get_logger, setup
from lab.engines.embedded.network.detours import RELAY_LINK
from lab.engines.embedded.network.worker import answer
from lab.engines.embedded.wan import paths as p
from lab.engines.embedded.wan.lane import Lane
from lab.engines.embedded.wan.tun import attach

log = get_logger(__name__)
TABLE_FILE = Path("/run/relay.json")
LONGEST_PACKET = 65536
AT_ONCE = 64
"""Packets read before the due ones are sent on."""
MOST_IN_FLIGHT = 50_000
MOST_KNOWN = 10_000
"""Pairs of addresses whose lane is remembered."""


class Relay:
    """Lanes, packets in flight, and the functions that init may call, by name."""

    def __init__(self, tun: int, file: Path = TABLE_FILE, seed: int | None = None) -> None:
        self._tun = tun
        self._file = file
        self._dice = Random(seed)
        self._table: dict[str, Any] = {"layers": [], "paths": []}
        self._lanes: dict[tuple[str, str], tuple[p.Path, Lane]] = {}
        self._known: dict[bytes, Lane | None] = {}
        self._flying: list[tuple[float, int, bytes]] = []
        self._count = 0
        if file.exists():
            self._take(json.loads(file.read_text()))

    def set_table(self, layers: list[dict[str, Any]], paths: list[dict[str, Any]]) -> None:
        """Exactly these paths are impaired; the layers they come from are kept for whoever asks."""
        self._take({"layers": layers, "paths": paths})
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._table))
        fresh.replace(self._file)

    def read_table(self) -> dict[str, Any]:
        """The layers and paths in force."""
        return self._table

    @property
    def pause(self) -> float | None:
        """Seconds until the next packet is due; None when none is in flight."""
        return max(self._flying[0][0] - time.monotonic(), 0.0) if self._flying else None

    def collect(self) -> None:
        """Take in packets that wait at the device."""
        for _ in range(AT_ONCE):
            try:
                packet = os.read(self._tun, LONGEST_PACKET)
            except BlockingIOError:
                return
            lane = self._lane(packet[12:20])
            if lane is None or len(self._flying) > MOST_IN_FLIGHT:
                continue  # nobody asked for it to pass here, or a queue is full: lost, as in a router
            for due in lane.admit(time.monotonic(), len(packet)):
                self._count += 1
                heapq.heappush(self._flying, (due, self._count, lane.passed(packet)))

    def send_due(self) -> None:
        """Send on what has waited long enough."""
        now = time.monotonic()
        while self._flying and self._flying[0][0] <= now:
            packet = heapq.heappop(self._flying)[2]
            try:
                os.write(self._tun, packet)
            except OSError as error:  # not an IPv4 packet, or the device is down: lost
                log.warning("a packet could not be sent on", error=error)

    def _take(self, table: dict[str, Any]) -> None:
        """Paths that stay as they are keep their queue."""
        wanted = [p.Path.from_json(row) for row in table["paths"]]
        kept = self._lanes
        self._lanes = {}
        for path in wanted:
            old = kept.get((path.source, path.target))
            same = old is not None and old[1].conditions == path.conditions
            lane = old[1] if old is not None and same else Lane(path.conditions, self._dice)
            self._lanes[path.source, path.target] = (path, lane)
        self._table = table
        self._known.clear()

    def _lane(self, ends: bytes) -> Lane | None:
        """The lane of a packet by its source and destination address."""
        if ends not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[ends] = self._find(ends)
        return self._known[ends]

    def _find(self, ends: bytes) -> Lane | None:
        source, destination = IPv4Address(ends[:4]), IPv4Address(ends[4:])
        for path, lane in self._lanes.values():
            if _within(source, path.origins) and _within(destination, path.destinations):
                return lane
        return None


def _within(address: IPv4Address, networks: Sequence[str]) -> bool:
    return any(address in IPv4Network(network) for network in networks)


def main(argv: Sequence[str]) -> int:
    """Relay packets and serve requests from init on the inherited socket."""
    setup()
    control = socket.socket(fileno=int(argv[0]))
    tun = attach(RELAY_LINK)
    relay = Relay(tun)
    while True:
        ready, _, _ = select.select([tun, control.fileno()], [], [], relay.pause)
        if tun in ready:
            relay.collect()
        relay.send_due()
        if control.fileno() in ready:
            if not (request := control.recv(1 << 20)):
                return 0
            control.send(json.dumps(answer(relay, json.loads(request))).encode())
