"""What happens to packets from one cluster to another: lost, doubled, held up, and when they go on. Pure.

A lane is a queue as a wide-area link has one: a packet first waits until the rate lets it through, then
travels for delay ± jitter. Packets never overtake each other, so jitter alone causes no resending in TCP.
The order of things is netem's: loss, duplication, rate, delay.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random

BURST = 16 * 1024
"""Bytes that may pass at once after silence, whatever the rate: a handful of full packets."""
LONGEST_QUEUE = 0.5
"""Seconds that a packet waits for the rate at most; what would wait longer is lost, as in a full router."""


@dataclass(frozen=True)
class Conditions:
    """A lane's settings: seconds, shares between 0 and 1, bits per second (0: no limit)."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    rate: float = 0


NAMES = tuple(field.name for field in fields(Conditions))


def combined(*layers: Mapping[str, float]) -> Conditions:
    """What holds when later layers say something over earlier ones; what nobody says stays as it was."""
    return Conditions(**{name: value for layer in layers for name, value in layer.items()})


class Lane:
    """One direction between two clusters; the clock and the dice come from the caller."""

    def __init__(self, conditions: Conditions, dice: Random) -> None:
        self.conditions = conditions
        self._dice = dice
        self._full_until = -math.inf
        self._last = 0.0

    def admit(self, now: float, size: int) -> tuple[float, ...]:
        """When copies of a packet of `size` bytes leave: none if it is lost, two if it is doubled."""
        asked = self.conditions
        if asked.loss and self._dice.random() < asked.loss:
            return ()
        copies = 2 if asked.duplicate and self._dice.random() < asked.duplicate else 1
        times = (self._leave(now, size) for _ in range(copies))
        return tuple(time for time in times if time is not None)

    def passed(self, packet: bytes) -> bytes:
        """The packet as it comes out: now and then with a wrong bit behind the IP header, where it meets a
        checksum of TCP or UDP and not the routers'."""
        asked = self.conditions
        start = (packet[0] & 0x0F) * 4
        if not asked.corrupt or len(packet) <= start or self._dice.random() >= asked.corrupt:
            return packet
        damaged = bytearray(packet)
        damaged[self._dice.randrange(start, len(packet))] ^= 1 << self._dice.randrange(8)
        return bytes(damaged)

    def _leave(self, now: float, size: int) -> float | None:
        asked, sent = self.conditions, now
        if asked.rate:
            start = max(self._full_until, now - BURST * 8 / asked.rate)
            if start - now > LONGEST_QUEUE:
                return None
            self._full_until = start + size * 8 / asked.rate
            sent = max(now, self._full_until)
        varied = asked.jitter * (2 * self._dice.random() - 1) if asked.jitter else 0.0
        self._last = max(self._last, sent + max(asked.delay + varied, 0.0))
        return self._last
