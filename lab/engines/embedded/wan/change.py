"""Brings the paths between clusters in line with what links and faults ask, and reads them back.

All of it through init. The device comes first, then the relay's table, then the routes of nodes, so that
packets are always led to a relay that knows what to do with them. Called by the engine only, which holds
the lab's lock.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lab.base.errors import EngineUnavailable, LabError
from lab.engines.embedded.control import Control
from lab.engines.embedded.wan.paths import Layer, Path, paths

Layers = tuple[Layer, ...]
RELAY = "lab/relay"


@dataclass(frozen=True)
class Actual:
    """What was asked, and which of the paths made of it packets really take."""

    layers: Layers = ()
    paths: tuple[Path, ...] = ()
    led: frozenset[tuple[str, str]] = frozenset()

    def holds(self, layer: Layer) -> bool:
        """Whether a layer is known to the relay and its packets get there, unless the path became plain."""
        ends = layer.source, layer.target
        impaired = any((path.source, path.target) == ends for path in self.paths)
        return layer in self.layers and (ends in self.led or not impaired)


async def read(control: Control, seen: Mapping[str, Any], network: Mapping[str, Any]) -> Actual:
    """The state of the relay and of the routes; `seen` and `network` are init's and its worker's accounts."""
    if not any(row["key"] == RELAY for row in seen["components"]):
        return Actual()  # asking would start it
    table = await control.call("relay", function="read_table", arguments={})
    known = tuple(Path.from_json(row) for row in table["paths"])
    led = frozenset(
        (path.source, path.target)
        for path in known
        if set(path.destinations) <= set(network.get(path.source, {}).get("detours", ()))
    )
    return Actual(tuple(map(Layer.from_json, table["layers"])), known, led)


async def change(control: Control, edit: Callable[[Layers], Iterable[Layer]]) -> None:
    """Replace the layers by what `edit` makes of them; nothing is started where nothing was ever asked.

    Raises EngineUnavailable where the relay cannot have its device.
    """
    seen = await control.call("list")
    network = await control.call("network", function="describe_network", arguments={})
    before = await read(control, seen, network)
    plans = {row["name"]: row["plan"] for row in seen["clusters"]}
    after = tuple(one for one in edit(before.layers) if {one.source, one.target} <= plans.keys())
    wanted = paths(after, plans, {name: row["routes"] for name, row in network.items()})
    if not after and not before.layers:
        return
    kept = {(path.source, path.target) for path in wanted}
    leaving = [path for path in before.paths if (path.source, path.target) not in kept]
    await _make_link(control)
    await _set_table(control, after, [*wanted, *leaving])
    rows = [path.to_json() for path in wanted]
    await control.call("network", function="set_detours", arguments={"paths": rows})
    if leaving:
        await _set_table(control, after, wanted)


async def _make_link(control: Control) -> None:
    try:
        await control.call("network", function="make_relay_link", arguments={})
    except LabError as error:
        raise EngineUnavailable(
            f"this machine cannot impair the network between clusters: {error}",
            remedy="as root: modprobe tun; chmod 0666 /dev/net/tun; or ask for no delay, loss and rate",
        ) from error


async def _set_table(control: Control, layers: Iterable[Layer], made: Iterable[Path]) -> None:
    table = {"layers": [asdict(one) for one in layers], "paths": [path.to_json() for path in made]}
    await control.call("relay", function="set_table", arguments=table)
