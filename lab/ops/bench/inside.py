"""Runs a command in a container without the way through API server and kubelet, which would load the machine
that is being measured: init is asked directly.
"""

import asyncio
import os

from lab.base.errors import LabError, TimedOut
from lab.engines.embedded.control import Control


async def execute(
    control: Control, cluster: str, container: str, argv: tuple[str, ...], timeout: float
) -> str:
    """What the command printed. `container` is POD_UID/NAME; raises LabError if it does not run."""
    rows = await control.call("containers", cluster=cluster)
    running = [
        row["id"] for row in rows if row["id"].startswith(f"{container}/") and row["exit_code"] is None
    ]
    if not running:
        raise LabError(f"no container {container} runs in {cluster}")
    _, (stdin, stdout, stderr) = await control.call_with_fds(
        "exec", (), id=running[0], argv=list(argv), tty=False
    )
    os.close(stdin)
    try:
        async with asyncio.timeout(timeout):
            return "".join(await asyncio.gather(_drained(stdout), _drained(stderr)))
    except TimeoutError as error:
        raise TimedOut(f"`{' '.join(argv)}` did not end within {timeout:g} s") from error


async def _drained(descriptor: int) -> str:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        return (await reader.read()).decode(errors="replace")
    finally:
        transport.close()
