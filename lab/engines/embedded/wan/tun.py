"""The network interface whose packets a program reads and writes (a TUN device), by its kernel interface."""

import fcntl
import os
import struct

DEVICE = "/dev/net/tun"
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def attach(name: str, *, keep: bool = False) -> int:
    """A non-blocking descriptor of the interface in this network namespace, which is made if it is not there.

    It goes away with the descriptor unless `keep`. Raises OSError that says what could not be had.
    """
    try:
        fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise OSError(error.errno, f"{DEVICE}: {error.strerror}") from error
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("=16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        if keep:
            fcntl.ioctl(fd, TUNSETPERSIST, 1)
    except OSError as error:
        os.close(fd)
        raise OSError(error.errno, f"the interface {name} cannot be had: {error.strerror}") from error
    return fd
