"""Bugs of Linkerd that a link can be asked to have: what the mirror does with each, and without."""

from functools import partial

from lab.controlplane.mirror.probe import Profile
from lab.kube.kinds import ENDPOINTS, SERVICES
from lab.kube.objects import Object, labels, spec, uid
from lab.topology.bugs import Bug
from tests.mesh.mirror.conftest import Pair, make_namespace
from tests.mesh.mirror.test_headless import Unlinked, export_headless, linked, named


def with_bugs(*bugs: Bug, headless: bool = False) -> Profile:
    return Profile("latest", bugs=frozenset(bugs), headless=headless)


async def uid_after_a_restart(unlinked: Unlinked, *bugs: Bug) -> tuple[str, str]:
    """The uid of a pod's mirror before and after its controller was started anew."""
    async with linked(unlinked, with_bugs(*bugs, headless=True)) as pair:
        await export_headless(pair)
        before = await pair.mirror("web-0-east")
    async with linked(unlinked, with_bugs(*bugs, headless=True)) as pair:
        await pair.relabel("v2", key="version")
        after = await pair.eventually(SERVICES, "web-0-east", lambda s: labels(s).get("version") == "v2")
    return uid(before), uid(after)


async def test_a_restart_leaves_the_mirrors_of_single_pods_alone(unlinked: Unlinked) -> None:
    before, after = await uid_after_a_restart(unlinked)
    assert after == before


async def test_a_restart_with_the_bug_of_2_14_makes_the_mirrors_of_single_pods_anew(
    unlinked: Unlinked,
) -> None:
    before, after = await uid_after_a_restart(unlinked, "headless-mirrors-collected")
    assert after != before


async def uid_after_a_namesake_changed(unlinked: Unlinked, *bugs: Bug) -> tuple[str, str]:
    """The uid of a second pod's mirror before and after the Service of that name in another namespace, which
    has one pod, was reconciled."""
    async with linked(unlinked, with_bugs(*bugs, headless=True)) as pair:
        for cluster in (pair.west, pair.east):
            await make_namespace(cluster.client, "other")
        await export_headless(pair)
        before = await pair.mirror("web-1-east")
        await export_headless(pair, namespace="other")
        await pair.mirror("web-1-east", "other")
        await pair.east.client.patch(ENDPOINTS, "web", named(web_0="10.21.1.5"), "other")
        await pair.gone(SERVICES, "web-1-east", "other")
        # A third pod's mirror is made once the loss of the second has been dealt with in full.
        await pair.east.client.patch(ENDPOINTS, "web", named(web_0="10.21.1.5", web_2="10.21.1.7"), "other")
        await pair.mirror("web-2-east", "other")
        await pair.relabel("v2", key="version")
        after = await pair.eventually(SERVICES, "web-1-east", lambda s: labels(s).get("version") == "v2")
        return uid(before), uid(after)


async def test_a_service_of_the_same_name_elsewhere_does_not_touch_the_mirrors_of_single_pods(
    unlinked: Unlinked,
) -> None:
    before, after = await uid_after_a_namesake_changed(unlinked)
    assert after == before


async def test_with_the_bug_a_service_of_the_same_name_elsewhere_takes_the_mirrors_of_single_pods(
    unlinked: Unlinked,
) -> None:
    before, after = await uid_after_a_namesake_changed(unlinked, "headless-mirrors-mixed-up")
    assert after != before


async def federated_port(pair: Pair) -> int:
    """The port of a federated service whose only member changed its own twice."""
    await pair.export(exported="true", federated="member")
    await pair.mirror("web-federated")
    for port in (81, 82):
        # The ordinary mirror shows the second change once the first has been dealt with in full.
        wanted = [{"name": "http", "port": port, "targetPort": 8080}]
        await pair.east.client.patch(SERVICES, "web", {"spec": {"ports": wanted}}, "shop")
        await pair.eventually(SERVICES, "web-east", partial(has_port, port))
    return int(spec(await pair.mirror("web-federated"))["ports"][0]["port"])


def has_port(port: int, service: Object) -> bool:
    return bool(spec(service)["ports"][0]["port"] == port)


async def test_a_federated_service_follows_the_ports_of_its_member(unlinked: Unlinked) -> None:
    async with linked(unlinked, with_bugs()) as pair:
        assert await federated_port(pair) in (81, 82)


async def test_with_the_bug_a_federated_service_keeps_the_ports_it_began_with(unlinked: Unlinked) -> None:
    async with linked(unlinked, with_bugs("federated-ports-frozen")) as pair:
        assert await federated_port(pair) == 80
