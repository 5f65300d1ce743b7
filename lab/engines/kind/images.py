"""Which images a lab consists of, and by which names they are known. Pure.

kind supports an image only with the release that it was built for, so the table is by release; digests are
those of kind's release notes (github.com/kubernetes-sigs/kind/releases). A release that is missing here has
its own default image, pinned by digest in the program itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.base.errors import UsageError
from lab.engines.kind.apps import AppsImage

DIGESTS: Mapping[str, Mapping[str, str]] = {
    "0.33.0": {
        "1.37.0": "a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
        "1.36.4": "099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
        "1.35.8": "07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
        "1.34.11": "44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d",
    },
    "0.32.0": {
        "1.36.1": "3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5",
        "1.35.5": "ce977ae6d65918d0b58a5f8b5e940429c2ce42fa3a5619ec2bbc60b949c0ac95",
        "1.34.8": "02722c2dedddcfc00febf5d27fbeb9b7b2c14294c82109ff4a85d89ac9ba3256",
    },
    "0.31.0": {
        "1.35.0": "452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f",
    },
    "0.30.0": {
        "1.34.0": "7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a",
    },
}
"""kind release → Kubernetes version, the newest first → sha256 of its node image."""
NEWEST = next(iter(DIGESTS))


IMAGE_SECONDS = 1800.0
"""How long a build, or moving images, may take."""


@dataclass(frozen=True)
class Images:
    """What a lab needs: the image of its nodes (empty: kind's own default), that of the demo apps, and
    `others` that pods ask for and that nodes get from here, not from a registry."""

    node: str
    apps: AppsImage
    others: tuple[str, ...] = ()


def release_of(version: str) -> str:
    """`0.33.0` of what `kind version` says; empty for words without a number."""
    found = re.search(r"\bv(\d+\.\d+\.\d+)", version)
    return found[1] if found else ""


def node_image(release: str, kubernetes: str | None = None, own: str | None = None) -> str:
    """The image for a Kubernetes version, or of the newest; empty: the release's own default.

    Raises UsageError for a version that the lab knows no image of for this release.
    """
    if own:
        return own
    images = {
        version.rpartition(".")[0]: f"kindest/node:v{version}@sha256:{digest}"
        for version, digest in DIGESTS.get(release, {}).items()
    }
    if kubernetes is None:
        return next(iter(images.values()), "")
    if kubernetes not in images:
        has = ", ".join(images) or "none"
        raise UsageError(
            f"kind.kubernetes: no node image for Kubernetes {kubernetes} with kind {release or 'unknown'}; "
            f"the lab knows: {has}",
            remedy="name an image that was built for your kind under `kind: {image: …}`",
        )
    return images[kubernetes]


def full_name(image: str) -> str:
    """The name under which a node lists an image: always with registry and tag.

    The first part is a registry if it could be a host; docker.io and its `library` go without saying.
    """
    first, slash, _ = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    name = image if is_host else f"docker.io/{image}" if slash else f"docker.io/library/{image}"
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


def tagged(image: str) -> str:
    """The name without a digest."""
    return image.partition("@")[0]


def canonical(image: str) -> str:
    """The name under which Docker lists an image: with a digest the tag does not count."""
    name, _, digest = image.partition("@")
    if not digest:
        return image if ":" in name.rpartition("/")[2] else f"{image}:latest"
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}@{digest}"
