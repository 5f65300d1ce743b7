"""Brings the images of pods into nodes: by archive what Docker has, through the cache all others. Pure."""

from collections.abc import Mapping
from pathlib import Path

from lab.base.state import LabDir
from lab.engines.kind import cache, names
from lab.engines.kind.acts import Act, InNode, RemoveFile, RunDocker, RunKind
from lab.engines.kind.design import Design, Present
from lab.engines.kind.images import IMAGE_SECONDS, Images, full_name
from lab.engines.kind.nodes import by_cluster
from lab.plan.addresses import LabPlan


def mirroring(plan: LabPlan, present: Present) -> list[Act]:
    """Lets every running node ask the cache for images."""
    nodes = [node for node in present.nodes if node.state == "running"] if cache.is_wanted(plan) else []
    return [InNode(one.cluster, one.name, cache.use()) for one in nodes if one.name not in present.mirrored]


def loading(lab: LabDir, images: Images, present: Present) -> Design:
    """What brings the images of pods into the nodes that lack some: saved once, loaded into each cluster.

    A cluster with a node that does not run is left alone, as nothing can be put into it.
    """
    lacking: dict[str, set[str]] = {}
    for cluster, nodes in by_cluster(present.nodes).items():
        if all(node.state == "running" for node in nodes):
            lacks = {image for node in nodes for image in _lacks(images, present.loaded.get(node.name, {}))}
            lacking |= {cluster: lacks} if lacks else {}
    if not lacking:
        return Design()
    archive = lab.root / "images.tar"
    missing = sorted(set().union(*lacking.values()))
    return Design(
        (
            RunDocker("lab", ("tag", *images.apps.tags), IMAGE_SECONDS),
            RunDocker("lab", ("save", f"--output={archive}", *missing), IMAGE_SECONDS),
        ),
        {cluster: (_load(lab, cluster, archive),) for cluster in lacking},
        (RemoveFile("lab", archive),),
    )


def _lacks(images: Images, loaded: Mapping[str, str]) -> set[str]:
    """What a node has to be given. Of the apps' two names the one in manifests has to mean the other."""
    lacks = {image for image in images.others if full_name(image) not in loaded}
    exact, in_manifests = (loaded.get(tag, "") for tag in images.apps.tags)
    return lacks | (set() if exact and exact == in_manifests else {*images.apps.tags})


def _load(lab: LabDir, cluster: str, archive: Path) -> RunKind:
    argv = ("load", "image-archive", str(archive), f"--name={names.kind_cluster(lab.name, cluster)}")
    return RunKind(cluster, argv, names.network(lab.name), IMAGE_SECONDS)
