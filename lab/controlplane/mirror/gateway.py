"""The addresses behind a Link's gatewayAddress: literals stay, host names are resolved again each time."""

import asyncio
import ipaddress
import socket

from lab.base.log import get_logger

log = get_logger(__name__)


async def resolve(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """All IPv4 addresses, sorted; `known` if none of the names resolves now."""
    loop = asyncio.get_running_loop()
    found: set[str] = set()
    for name in names:
        if _is_address(name):
            found.add(name)
            continue
        try:
            answers = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
            found.update(str(answer[4][0]) for answer in answers)
        except OSError as error:
            log.warning("gateway name does not resolve", name=name, error=error)
    return tuple(sorted(found)) or known


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
