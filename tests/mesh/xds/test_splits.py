"""TrafficSplits over real Envoys."""

from collections import Counter
from typing import Any

from lab.base.wait import until
from tests.mesh.xds.test_traffic import ECHO, answers, pod, route, service, slices


def split(**weights: int) -> dict[str, Any]:
    backends = [{"service": name, "weight": weight} for name, weight in weights.items()]
    meta = {"name": "echo", "namespace": "shop"}
    spec = {"service": "echo", "backends": backends}
    return {
        "apiVersion": "split.smi-spec.io/v1alpha2",
        "kind": "TrafficSplit",
        "metadata": meta,
        "spec": spec,
    }


async def split_bench(bench: Any, **weights: int) -> Any:
    """Service `echo` split among Services and apps `one` and `two`."""
    found = await bench("objects: []")
    objects = [
        pod("client", account="web"),
        service("echo", ECHO, found.outbound_port),
        split(**weights),
    ]
    for index, name in enumerate(("one", "two"), 5):
        app = await found.app(name)
        objects.append(service(name, f"127.0.1.{index}", found.outbound_port))
        objects.append(slices(name, app.port, **{f"{name}-pod": "127.0.0.1"}))
    found.world.load(objects)
    await found.envoy("client", account="web")
    return found


async def become(found: Any, *names: str) -> None:
    async def only_these() -> bool:
        return set(await answers(found, 12)) == set(names)

    await until(only_these, timeout=5, what=f"answers of {names} only", every=0.02)


async def test_weights_share_the_traffic_of_the_apex(bench: Any) -> None:
    found = await split_bench(bench, one=3, two=1)
    shares: Counter[str] = await answers(found, 200)
    assert set(shares) == {"one", "two"}
    assert 115 <= shares["one"] <= 185


async def test_a_weight_of_zero_gets_nothing_even_when_the_rest_is_gone(bench: Any) -> None:
    found = await split_bench(bench, one=1, two=0)
    await become(found, "one")
    found.world.put(slices("one", 1, x="127.0.0.1"), None)

    async def is_503() -> bool:
        return (await found.get(ECHO))[0] == 503

    await until(is_503, timeout=5, what="503", every=0.02)


async def test_a_backend_without_endpoints_is_passed_over(bench: Any) -> None:
    found = await split_bench(bench, one=1, two=1)
    found.world.put(slices("one", 1, x="127.0.0.1"), None)
    await become(found, "two")


async def test_a_split_wins_over_routes_and_its_end_gives_them_back(bench: Any) -> None:
    found = await split_bench(bench, one=1, two=0)
    found.world.put(None, route(("two", 1), port=found.outbound_port))
    await become(found, "one")
    found.world.put(split(one=1, two=0), None)
    await become(found, "two")


async def test_an_opaque_port_is_not_split(bench: Any) -> None:
    found = await split_bench(bench, one=0, two=1)
    await become(found, "two")
    own = await found.app("own")
    opaque = service(
        "echo", ECHO, found.outbound_port, **{"config.linkerd.io/opaque-ports": str(found.outbound_port)}
    )
    found.world.put(service("echo", ECHO, found.outbound_port), opaque)
    found.world.load([slices("echo", own.port, own_pod="127.0.0.1")])
    await become(found, "own")
