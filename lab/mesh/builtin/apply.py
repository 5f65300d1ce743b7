"""Applies sets of objects to one cluster: in waves that depend on each other, each wave at once.

Server-side apply makes it idempotent: an object that already says the same is not written again.
"""

import asyncio
from collections.abc import Iterable, Sequence

from lab.base.wait import until
from lab.kube.client import Client
from lab.kube.errors import ApiError, NotFound
from lab.kube.kinds import CRDS, NAMESPACES, Kind, kind_of
from lab.kube.objects import Object, name, namespace

MANAGER = "multicluster-lab"
AT_ONCE = 8
SERVED_TIMEOUT = 10.0


async def apply_all(client: Client, objects: Iterable[Object]) -> None:
    """Apply independent objects, several at a time. The first refusal is raised with the object's name."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(obj: Object) -> None:
        async with gate:
            await client.apply(kind(obj), obj, manager=MANAGER)

    tasks = [asyncio.create_task(one(obj)) for obj in objects]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def apply_waves(client: Client, objects: Sequence[Object]) -> None:
    """Namespaces and CRDs first, then all the rest."""
    first = [obj for obj in objects if kind(obj) in (NAMESPACES, CRDS)]
    await apply_all(client, first)
    await asyncio.gather(*(_served(client, obj) for obj in first if kind(obj) == CRDS))
    await apply_all(client, [obj for obj in objects if obj not in first])


async def remove_all(client: Client, targets: Iterable[tuple[Kind, str, str]]) -> None:
    """Delete (kind, namespace, name) each; what is gone already is fine."""

    async def one(target: tuple[Kind, str, str]) -> None:
        try:
            await client.delete(target[0], target[2], target[1])
        except NotFound:
            return

    await asyncio.gather(*(one(target) for target in targets))


async def _served(client: Client, crd: Object) -> None:
    """Wait until the API server serves the kind that a CRD defines."""
    body = crd["spec"]
    versions = [version["name"] for version in body["versions"] if version.get("storage")]
    served = Kind(body["group"], versions[0], body["names"]["kind"], body["names"]["plural"])

    async def probe() -> bool:
        await client.list(served)
        return True

    what = f"the API server serves {served.plural}.{served.group}"
    await until(probe, timeout=SERVED_TIMEOUT, what=what, every=0.02)


def kind(obj: Object) -> Kind:
    """The Kind of an object to apply. Raises ApiError naming an object of an unknown kind."""
    try:
        return kind_of(obj)
    except KeyError as error:
        where = f"{namespace(obj)}/{name(obj)}".lstrip("/")
        raise ApiError(0, "", f"{obj.get('apiVersion')} {obj.get('kind')} {where}: unknown kind") from error
