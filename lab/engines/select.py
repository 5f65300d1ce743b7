"""The engine behind a name in the topology file."""

from lab.engines.inspect import Inspector
from lab.engines.protocol import Engine
from lab.topology.model import EngineName


def engine_of(name: EngineName, *, consent: bool = False) -> Engine:
    """The engine of that name; `consent` lets it into clusters that look like production."""
    if name == "embedded":
        from lab.engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine()
    if name == "kind":
        from lab.engines.kind.engine import KindEngine

        return KindEngine()
    from lab.engines.existing.engine import ExistingEngine

    return ExistingEngine(consent=consent)


def inspector_of(name: EngineName) -> Inspector | None:
    """The inspector of that engine's labs; None for an engine whose clusters cannot be looked into."""
    if name == "embedded":
        from lab.engines.embedded.inspector import EmbeddedInspector

        return EmbeddedInspector()
    return None
