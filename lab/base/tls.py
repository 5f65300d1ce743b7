"""TLS of asyncio at a size that many idle connections can afford."""

import asyncio.sslproto

READ_BUFFER = 32 * 1024
"""Bytes; a TLS record has at most 16 KiB."""


def thrifty() -> None:
    """From now on each TLS connection of this process keeps a small read buffer, not one of 256 KiB.

    The buffer is filled with zeros when the connection opens, so all of it is resident: a cluster's
    watches would spend more on it than on what they carry.
    """
    asyncio.sslproto.SSLProtocol.max_size = READ_BUFFER
