"""Moves a lab's images between Docker and a file. Called by `lab.ops.images`."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.engines.kind import stock
from lab.engines.kind.acts import RunDocker
from lab.engines.kind.converge import images_of
from lab.engines.kind.daemon import Daemon
from lab.engines.kind.images import IMAGE_SECONDS, tagged
from lab.engines.kind.perform import perform, run
from lab.engines.protocol import Progress
from lab.plan.addresses import LabPlan


async def save(
    lab: LabDir, plan: LabPlan, pods: Iterable[str], archive: Path, progress: Progress
) -> list[str]:
    """Write the lab's images and those of its pods; returns their names."""
    images = await images_of(plan)
    if not images.node:
        raise LabError(
            "the lab does not know the node image of this release of kind",
            remedy="name it under `kind: {image: …}` in the topology",
        )
    others = tuple(image for image in dict.fromkeys(pods) if image not in images.apps.tags)
    async with await Daemon.connect() as daemon:
        for act in stock.saving(replace(images, others=others), await daemon.images(), archive):
            progress(act.where, act.line)
            await perform(daemon, act)
    names = [tagged(image) for image in (images.node, *images.apps.tags, *others)]
    stock.note(names)
    return names


async def load(archive: Path) -> list[str]:
    """Load a file that `save` wrote; returns the names of its images."""
    names = stock.loaded(await run(RunDocker("lab", ("load", f"--input={archive}"), IMAGE_SECONDS)))
    if not names:
        raise LabError(f"{archive} holds no image with a name", remedy="`lab images.save` writes such files")
    stock.note(names)
    return names
