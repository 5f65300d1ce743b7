"""Small buffers for TLS connections: a cluster holds a hundred, most of them watches that say little.

asyncio gives each connection a buffer of 256 KiB and touches all of it, so that it counts as memory from
the start. A TLS record has 16 KiB at most; more only saves calls on a busy connection.
"""

from asyncio.sslproto import SSLProtocol

SIZE = 32 * 1024


def shrink() -> None:
    """Let every TLS connection that this process opens from now on have a buffer of `SIZE` bytes."""
    SSLProtocol.max_size = SIZE
