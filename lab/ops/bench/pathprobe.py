"""Programs of the bench's pods that measure a path between clusters: a server, and what to ask it.

The server sends datagrams back and gives every TCP connection as many bytes as its first eight ask for. The
client prints one JSON value. They run inside a lab.
"""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence

PORT = 7070
PATIENCE = 5.0
BLOCK = 1 << 16


def serve(_argv: Sequence[str]) -> int:
    """Until it is killed."""
    threading.Thread(target=_echo, daemon=True).start()
    with socket.create_server(("0.0.0.0", PORT)) as listener:
        while True:
            peer, _ = listener.accept()
            with peer:
                (size,) = struct.unpack(">Q", peer.recv(8, socket.MSG_WAITALL))
                peer.sendall(bytes(size))


def _echo() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("0.0.0.0", PORT))
        while True:
            data, peer = datagrams.recvfrom(BLOCK)
            datagrams.sendto(data, peer)


def round_trips(address: str, count: int) -> list[float]:
    """Milliseconds of datagrams sent one after the other. Raises TimeoutError when one is lost."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(PATIENCE)
        datagrams.connect((address, PORT))
        for number in range(count):
            start = time.monotonic()
            datagrams.send(str(number).encode())
            datagrams.recv(BLOCK)
            found.append((time.monotonic() - start) * 1000)
    return found


def throughput(address: str, size: int) -> float:
    """Mbit/s of one TCP connection that fetches `size` bytes."""
    with socket.create_connection((address, PORT), timeout=PATIENCE) as peer:
        start = time.monotonic()
        peer.sendall(struct.pack(">Q", size))
        left = size
        while left:
            left -= len(peer.recv(min(left, BLOCK)))
    return size * 8 / (time.monotonic() - start) / 1e6


def main(argv: Sequence[str]) -> int:
    """`pathprobe round_trips|throughput ADDRESS COUNT`"""
    what = {"round_trips": round_trips, "throughput": throughput}[argv[0]]
    sys.stdout.write(json.dumps(what(argv[1], int(argv[2]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
