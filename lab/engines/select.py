"""The engine behind a name in the topology file."""

from lab.base.errors import EngineUnavailable
from lab.engines.inspect import Inspector
from lab.engines.protocol import Engine
from lab.topology.model import EngineName


def engine_of(name: EngineName) -> Engine:
    """The engine of that name. Raises EngineUnavailable for one that this version does not have."""
    if name == "embedded":
        from lab.engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine()
    if name == "kind":
        from lab.engines.kind.engine import KindEngine

        return KindEngine()
    raise EngineUnavailable(
        f"engine {name} is not part of this version of the lab", remedy="use `--engine embedded`"
    )


def inspector_of(name: EngineName) -> Inspector | None:
    """The inspector of that engine's labs; None for an engine whose clusters cannot be looked into."""
    if name == "embedded":
        from lab.engines.embedded.inspector import EmbeddedInspector

        return EmbeddedInspector()
    return None
