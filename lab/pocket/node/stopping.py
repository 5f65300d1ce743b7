"""Graceful stop of one container: preStop hook, SIGTERM, the grace period, SIGKILL.

Called by the pod worker for deletion, failed probes and sidecars that are no longer needed.
"""

import asyncio
import signal

from lab.pocket.node.handlers import perform
from lab.pocket.node.tracked import Tracked

LEAST_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL even when a preStop hook has used up the grace period, as upstream."""
LAST_WAIT = 5.0
"""Seconds to wait for the end of a killed process: the kernel needs a moment, never long."""


async def stop(tracked: Tracked, grace: float, why: str) -> None:
    """Return when the container has ended."""
    if not tracked.view().running:
        return
    tracked.event("Killing", why)
    clock = asyncio.get_running_loop().time
    deadline = clock() + grace
    if (hook := (tracked.spec.get("lifecycle") or {}).get("preStop")) and grace > 0:
        outcome = await perform(hook, tracked.target(), tracked.kit.execs, grace)
        if not outcome.ok:
            tracked.event("FailedPreStopHook", f"PreStopHook failed: {outcome.message}", warning=True)
    if grace > 0:
        await tracked.kit.runtime.signal(tracked.id, signal.SIGTERM)
        if await _ended(tracked, max(deadline - clock(), min(grace, LEAST_GRACE))):
            return
    await tracked.kit.runtime.signal(tracked.id, signal.SIGKILL)
    await _ended(tracked, LAST_WAIT)


async def _ended(tracked: Tracked, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await tracked.ended.wait()
    except TimeoutError:
        return False
    return True
