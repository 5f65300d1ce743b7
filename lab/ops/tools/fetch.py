"""Downloads one program and puts it into the cache, if it is what its makers published.

Nothing is written to the cache before the checksum is right; the file then appears in one step.
"""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import aiohttp

from lab.base.errors import LabError
from lab.base.programs import cache
from lab.ops.tools.table import Tool, digest_in, machine

SECONDS = 600.0
LARGEST = 400 << 20
"""Bytes of the largest file that is taken; kubectl and kind have some tens of MiB."""


async def fetch(tool: Tool) -> Path:
    """The program's place in the cache. Raises LabError: not to be had, or not what was published."""
    url = tool.source(machine())
    timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=10.0, sock_read=30.0)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        published = await _read(session, url + tool.checksum)
        content = await _read(session, url)
    expected = digest_in(published.decode(errors="replace"), url + tool.checksum)
    if (seen := hashlib.sha256(content).hexdigest()) != expected:
        raise LabError(
            f"{url} is not what was published: SHA-256 {seen}, {url}{tool.checksum} says {expected}",
            remedy="try again; if it stays so, do not run what is at that address",
        )
    return _install(tool.name, _unpacked(content, tool.inside(machine()), url))


async def _read(session: aiohttp.ClientSession, url: str) -> bytes:
    remedy = f"behind a proxy, set HTTPS_PROXY; or put the program into {cache()} yourself"
    try:
        async with session.get(url) as answer:
            if answer.url.scheme != url.partition(":")[0]:
                raise LabError(f"{url} leads to {answer.url}, which is not as safe")
            if answer.status != 200:
                raise LabError(f"{url}: {answer.status} {answer.reason}", remedy=remedy)
            content = bytearray()
            async for part in answer.content.iter_any():
                content += part
                if len(content) > LARGEST:
                    raise LabError(f"{url} is larger than {LARGEST >> 20} MiB; that is no program of ours")
            return bytes(content)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise LabError(f"cannot download {url}: {error or type(error).__name__}", remedy=remedy) from error


def _unpacked(content: bytes, member: str, url: str) -> bytes:
    """The program itself, out of its archive if it came in one."""
    if not member:
        return content
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            file = archive.extractfile(member)
            if file is None:
                raise KeyError(member)
            return file.read()
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise LabError(f"{url} has no {member} in it: {error}") from error


def _install(name: str, program: bytes) -> Path:
    path = cache() / name
    temporary = path.with_name(f".{name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(program)
        temporary.chmod(0o755)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise LabError(
            f"cannot write {path}: {error.strerror}", remedy="free some space, or set LAB_TOOLS"
        ) from error
    return path
