"""Prints the log of a container, as `kubectl logs` would."""

import asyncio
import sys

from lab.kube.client import Request
from lab.kube.kinds import PODS
from lab.ops.labs import find
from lab.ops.pods import locate, split


def logs(pod: str, *, lab: str = "", container: str = "", follow: bool = False, tail: int = -1) -> None:
    """Write the log to standard output; with `follow` until the container ends or Ctrl-C."""
    asyncio.run(_logs(pod, lab, container, follow=follow, tail=tail))


async def _logs(word: str, name: str, container: str, *, follow: bool, tail: int) -> None:
    lab = find(name)
    async with await lab.connect(split(lab, word)[0]) as client:
        place = await locate(lab, client, word, container)
        query = {"container": place.container, "follow": "true" if follow else "false"}
        if tail >= 0:
            query["tailLines"] = str(tail)
        path = PODS.path(place.namespace, place.pod, "log")
        response = await client.open(
            Request("GET", path, query, accept="*/*", timeout=None if follow else 30.0)
        )
        try:
            async for chunk in response.content.iter_any():
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        finally:
            response.close()
