"""Says whether a topology file is right, without asking any cluster."""

from lab.ops.answer import Answer
from lab.topology.links import directed_links
from lab.topology.load import load
from lab.topology.model import EngineName


def validate(file: str, *, engine: EngineName | None = None, variant: str = "") -> Answer:
    """What the file describes. Raises TopologyError with everything that is wrong with it."""
    topology = load(file, engine, variant=variant)
    links = list(map(str, directed_links(topology)))
    data = {
        "name": topology.name,
        "engine": topology.engine,
        "clusters": list(topology.clusters),
        "links": links,
    }
    counted = f"{len(topology.clusters)} clusters, {len(links)} links"
    return Answer(data, f"{topology.name}: right for engine {topology.engine} ({counted})")
