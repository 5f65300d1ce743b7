"""`lab images.save` and `lab images.load`: all that a lab on real containers runs, as one file.

The nodes' image and the demo apps' are the engine's; all others are those that the lab's pods run now, so a
lab that works is what is saved. Only engine `kind` has images to move.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from lab.base.errors import CheckFailed, UsageError
from lab.engines.kind import moving
from lab.kube import objects
from lab.kube.kinds import PODS
from lab.kube.objects import Object
from lab.ops.answer import Answer
from lab.ops.labs import Lab, find
from lab.ops.plan import connect_running
from lab.ops.progress import Progress

OF_NODES = ("kube-system", "local-path-storage")
"""Namespaces whose images are part of the nodes' own."""


def save(file: str, lab: str = "") -> Answer:
    """Write every image of a running lab to a file."""
    target = find(lab)
    if target.topology.engine != "kind":
        raise UsageError(
            f"lab {target.name} runs on engine {target.topology.engine}, which has no images to save",
            remedy="bring one up with `lab up --engine kind`",
        )
    return _listed(asyncio.run(_save(target, Path(file).absolute())), f"saved in {file}")


def load(file: str) -> Answer:
    """Give Docker every image of such a file, and note them for `lab up --offline`."""
    archive = Path(file).absolute()
    if not archive.is_file():
        raise UsageError(f"{file} is not there", remedy="`lab images.save FILE` writes one")
    return _listed(asyncio.run(moving.load(archive)), "loaded")


async def _save(lab: Lab, archive: Path) -> list[str]:
    async with AsyncExitStack() as stack:
        clients = await connect_running(lab, stack)
        if not clients:
            raise CheckFailed(
                f"lab {lab.name} does not run", remedy="`lab up` first: what runs is what is saved"
            )
        pods = [pod for client in clients.values() for pod in await client.list(PODS)]
    with Progress() as progress:
        return await moving.save(lab.dir, lab.plan, images_of(pods), archive, progress)


def images_of(pods: Iterable[Object]) -> list[str]:
    """The images of all pods but those that nodes bring along, each once. Pure."""
    found: dict[str, None] = {}
    for pod in pods:
        spec = objects.spec(pod)
        if objects.namespace(pod) not in OF_NODES:
            found |= dict.fromkeys(
                one["image"] for part in ("initContainers", "containers") for one in spec.get(part) or ()
            )
    return sorted(found)


def _listed(names: list[str], what: str) -> Answer:
    lines = "".join(f"  {name}\n" for name in names)
    return Answer({"images": names}, f"{len(names)} images {what}:\n{lines}")
