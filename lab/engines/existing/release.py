"""Removes a lab from a cluster: everything it made there, and nothing else.

Webhooks go first, as they would refuse what follows; definitions and namespaces go last, and the claim when
all is gone. A namespace or definition in which others have something by now stays, and is theirs.
"""

from collections.abc import Iterable

from lab.base.concurrent import together
from lab.base.wait import until
from lab.engines.existing import census
from lab.engines.existing.examine import claimed
from lab.engines.existing.guest import CLAIM_LABEL, Guest
from lab.engines.existing.rules import MESH_NAMESPACES
from lab.kube import objects, record
from lab.kube.errors import Conflict, NotFound
from lab.kube.kinds import CONFIG_MAPS, CRDS, NAMESPACES, SERVICES, Kind
from lab.kube.objects import Object

GONE_WITHIN = 180.0
"""Seconds for what was deleted to be gone; pods have 30 to stop."""
MIRRORED = "mirror.linkerd.io/mirrored-service"
LIKE_ANY = "kube-node-lease"
"""A namespace in which nobody works: what is there, Kubernetes or its distribution puts into each."""
_ORDER = {
    "MutatingWebhookConfiguration": 0,
    "ValidatingWebhookConfiguration": 0,
    "ClusterRoleBinding": 1,
    "RoleBinding": 1,
    CRDS.kind: 3,
    NAMESPACES.kind: 4,
}
_MIDDLE = 2
_MADE_BY_CONTROLLERS = frozenset({"Event", "Endpoints", "EndpointSlice", "Lease", "PodMetrics"})
_MIRRORS = {MIRRORED, "mirror.linkerd.io/mirrored-gateway"}
_TOKEN_OF = "kubernetes.io/service-account.name"
Row = tuple[Kind, Object]


async def release(client: Guest) -> tuple[str, ...]:
    """Remove everything; returns what stays, in words. Can be repeated. A cluster that is not this lab's is
    left alone."""
    claim = await claimed(client)
    if claim is None or not client.owns(claim):
        return ()
    kinds = await census.kinds(client)
    mine = [row for row in await _mine(client, kinds) if objects.uid(row[1]) != objects.uid(claim)]
    for rank in sorted({_rank(kind) for kind, _ in mine} - {_rank(CRDS), _rank(NAMESPACES)}):
        await _delete(client, [row for row in mine if _rank(row[0]) == rank])
    await _gone(client, [row for row in mine if _rank(row[0]) <= _MIDDLE])
    spaces = [row for row in mine if row[0] == NAMESPACES]
    if any(objects.name(space) in MESH_NAMESPACES for _, space in spaces):
        await _delete(client, await census.find(client, [SERVICES], labels=f"{MIRRORED}=true"))
    common = {_called(row) for row in await census.find(client, kinds, namespace=LIKE_ANY)}
    stays: list[str] = []
    doomed: list[Row] = []
    for row in [*(row for row in mine if row[0] == CRDS), *spaces]:
        inside = [one for one in await _inside(client, row, kinds) if _called(one) not in common]
        if kept := _why_kept(row, [obj for _, obj in inside if not client.owns(obj)]):
            stays.append(kept)
            await client.patch(row[0], objects.name(row[1]), {"metadata": {"labels": {CLAIM_LABEL: None}}})
        else:
            doomed.append(row)
    await _delete(client, doomed)
    await _gone(client, doomed)
    await client.delete(CONFIG_MAPS, client.record, record.NAMESPACE)
    return tuple(stays)


async def _mine(client: Guest, kinds: Iterable[Kind]) -> list[Row]:
    found = await census.find(client, kinds, labels=f"{CLAIM_LABEL}={client.claim}")
    return [(kind, obj) for kind, obj in found if client.owns(obj)]


def _rank(kind: Kind) -> int:
    return _ORDER.get(kind.kind, _MIDDLE)


async def _delete(client: Guest, rows: Iterable[Row]) -> None:
    """Delete exactly these: not what somebody put in their place since they were found."""

    async def one(kind: Kind, obj: Object) -> None:
        same = {"uid": objects.uid(obj)}
        try:
            await client.delete(
                kind,
                objects.name(obj),
                objects.namespace(obj),
                preconditions=same,
                propagationPolicy="Background",
            )
        except (NotFound, Conflict):
            return  # gone, or another one by now

    await together(*(one(kind, obj) for kind, obj in rows))


async def _gone(client: Guest, rows: list[Row]) -> None:
    uids = {objects.uid(obj) for _, obj in rows}
    kinds = list(dict.fromkeys(kind for kind, _ in rows))

    async def gone() -> bool:
        left = await _mine(client, kinds)
        return not [obj for _, obj in left if objects.uid(obj) in uids]

    what = f"{client.context}: what the lab made is gone (finalizers may hold it up)"
    await until(gone, timeout=GONE_WITHIN, every=0.2, what=what)


async def _inside(client: Guest, row: Row, kinds: Iterable[Kind]) -> list[Row]:
    """What is in a namespace, or of a definition."""
    kind, name = row[0], objects.name(row[1])
    if kind != CRDS:
        return await census.find(client, kinds, namespace=name)
    plural, _, group = name.partition(".")
    return await census.find(client, [one for one in kinds if (one.plural, one.group) == (plural, group)])


def _why_kept(row: Row, inside: Iterable[Object]) -> str:
    """Why a namespace or definition of the lab has to stay: somebody else has something in it. Pure."""
    others = [obj for obj in inside if _is_somebodys(obj)]
    if not others:
        return ""
    first = f"{others[0]['kind']} {'/'.join(filter(None, objects.key(others[0])))}"
    what = f"{row[0].kind} {objects.name(row[1])}"
    return f"{what} stays: it has {len(others)} objects that are not the lab's, such as {first}"


def _is_somebodys(obj: Object) -> bool:
    """Whether a person or another program made it on purpose, so that it must not go with the lab's. Pure."""
    return not (
        obj["kind"] in _MADE_BY_CONTROLLERS
        or not census.is_independent(obj)
        or _MIRRORS & objects.labels(obj).keys()
        or objects.annotations(obj).get(_TOKEN_OF)
        or objects.is_deleting(obj)
    )


def _called(row: Row) -> tuple[str, str]:
    return row[0].kind, objects.name(row[1])
