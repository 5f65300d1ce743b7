"""The images that are kept in Docker for rooms without a network: which these are, and how they are moved.

`lab images.save` and `lab images.load` note their names beside the labs; `lab up --offline` uses those and
nothing else. Images move by their tags, as Docker's archives have no digests.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lab.base.errors import EngineUnavailable
from lab.base.state import lab_home, make_private, write_private
from lab.engines.kind import apps
from lab.engines.kind.acts import RunDocker
from lab.engines.kind.images import IMAGE_SECONDS, Images, canonical, tagged


def noted() -> tuple[str, ...]:
    """The images that were saved or loaded here."""
    file = _file()
    return tuple(json.loads(file.read_text())) if file.exists() else ()


def note(names: Iterable[str]) -> None:
    """Remember images, beside those that are known."""
    make_private(lab_home())
    write_private(_file(), json.dumps(sorted({*noted(), *names}), indent=1))


def complete(images: Images) -> Images:
    """The same with all that is noted here for pods: everything but nodes and other builds of the apps."""
    not_pods = (tagged(images.node), "kindest/node:", f"{apps.NAME}:")
    return replace(images, others=tuple(name for name in noted() if not name.startswith(not_pods)))


def refuse_absent(images: Images, here: frozenset[str]) -> None:
    """Raises EngineUnavailable that lists all that a lab needs and Docker does not have."""
    wanted = [images.node or "the node image of this kind", images.apps.tag, *images.others]
    absent = [image for image in wanted if canonical(image) not in here]
    if not images.others:
        absent.append("the mesh's images: none were saved or loaded here")
    if absent:
        listed = "".join(f"\n  {image}" for image in absent)
        raise EngineUnavailable(
            f"these images are not here, and --offline lets nothing be pulled or built:{listed}",
            remedy="with a network: `lab up`, then `lab images.save FILE`; here: `lab images.load FILE`",
        )


def saving(images: Images, here: frozenset[str], archive: Path) -> list[RunDocker]:
    """The commands that write all images to a file, after what is not here was built or pulled."""
    others = (images.node, *images.others)
    argvs: list[tuple[str, ...]] = [images.apps.build] if images.apps.tag not in here else []
    argvs += [("pull", image) for image in others if canonical(image) not in here]
    argvs += [("tag", image, tagged(image)) for image in others if "@" in image]
    argvs += [("tag", *images.apps.tags)]
    argvs += [("save", f"--output={archive}", *images.apps.tags, *map(tagged, others))]
    return [RunDocker("lab", argv, IMAGE_SECONDS) for argv in argvs]


def loaded(said: str) -> list[str]:
    """The names of the images that `docker load` says it loaded."""
    return re.findall(r"^Loaded image: (\S+)$", said, re.MULTILINE)


def _file() -> Path:
    return lab_home() / "images.json"
