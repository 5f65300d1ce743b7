"""What a policy, a retry and a breaker cost: the flat path with one of them against the plain one.

Same client, same links, runs in pairs, as in dataplane.py.
"""

from collections.abc import AsyncIterator

from lab.engines.embedded.control import Control
from lab.ops.bench import wrk
from lab.ops.bench.dataplane import ONE, Loader, Path, note, pod_uid
from lab.ops.bench.model import Figure, Row, paired_ratio
from lab.ops.bench.scene import FLAT, GUARDED, Scene
from lab.ops.bench.workbench import Running

PLAIN = f"http://{FLAT}-east.bench"
NAMES = {
    GUARDED: "an authorization policy at the server",
    "retried": "retries and a timeout at the client",
    "broken": "a circuit breaker at the client",
}
FIGURES = {
    service: Figure(f"flat with {what}: p50 at {ONE} connection, against without", 1.15, "x")
    for service, what in NAMES.items()
}


async def measure(running: Running, scene: Scene) -> AsyncIterator[Row]:
    """A row for each, in a lab that holds the scene."""
    if not wrk.is_installed():
        for figure in FIGURES.values():
            yield figure.skipped(wrk.MISSING)
        return
    async with Control.connect(running.dir) as control:
        client = await pod_uid(scene.west, "client")
        load = Loader(control, client, client)
        for service, figure in FIGURES.items():
            path = Path(service, f"http://{service}-east.bench", PLAIN)
            await load.warm_up(path)
            found = [(dear.p50, plain.p50) for dear, plain in await load.pairs(path, ONE)]
            yield figure.measured(paired_ratio(found), note(found, "{:.2f} ms").replace("static", "without"))
