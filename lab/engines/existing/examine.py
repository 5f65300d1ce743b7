"""Whether a lab may and can run on a cluster: reachable, new enough, permitted, not in use. Changes nothing.

Every answer is a sentence, so that a user sees all that is missing in all clusters at once.
"""

import getpass
import json
import shlex
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.engines.existing.guest import CLAIM_LABEL, Guest, NotOurs
from lab.engines.existing.rules import INJECT, LEAST_KUBERNETES, MESH_NAMESPACES, Need, needs
from lab.engines.kind.apps import PODS_TAG, apps_image
from lab.kube import objects, record
from lab.kube.client import Request
from lab.kube.errors import NotFound
from lab.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, SELF_SUBJECT_ACCESS_REVIEWS, SERVICES
from lab.kube.objects import Object
from lab.plan.visit import Visit
from lab.plan.workloads import LAB_LABEL

OWNER = "multicluster.lab/owner"
"""Annotation of the claim: who made it, for other people's eyes."""
POCKET = "+lab"
"""The end of the version of a Kubernetes of our own, which has the image of the apps."""
Spaces = dict[str, Object]


@dataclass(frozen=True)
class Examined:
    """What was found: `problems` stand in the way, `notes` are good to know; `uid` is the same for two names
    of one cluster."""

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    uid: str = ""
    is_ours: bool = False


async def examine(client: Guest, visit: Visit) -> Examined:
    """All that speaks against running this lab on a cluster."""
    try:
        version = json.loads(await client.raw(Request("GET", "/version")))
        asked = needs(visit.mesh)
        allowed = await together(*(_may(client, need) for need in asked))
        if denied := [need for need, may in zip(asked, allowed, strict=True) if not may]:
            return Examined((f"your user may not {', '.join(map(str, denied))}",))
        claim = await claimed(client)
        spaces = {objects.name(space): space for space in await client.list(NAMESPACES)}
        problems = [*_version(version, visit), *_claim(client, claim), *_mesh(client, spaces, visit)]
        for name, workloads in visit.workloads.items():
            problems += await _in_use(client, name, workloads) if name in spaces else []
    except LabError as error:
        return Examined((f"{error}" + (f" ({error.remedy})" if error.remedy else ""),))
    is_ours = claim is not None and client.owns(claim)
    notes = tuple(_notes(client, spaces, visit))
    return Examined(tuple(problems), notes, objects.uid(spaces["kube-system"]), is_ours)


async def claimed(client: Guest) -> Object | None:
    """The claim that some lab has on a cluster."""
    try:
        return await client.get(CONFIG_MAPS, client.record, record.NAMESPACE)
    except NotFound:
        return None


async def claim(client: Guest, lab: str) -> None:
    """Claim a cluster for a lab. Raises LabError if another was faster."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": client.record,
            "namespace": record.NAMESPACE,
            "labels": {LAB_LABEL: lab, "app.kubernetes.io/managed-by": "multicluster-lab"},
            "annotations": {OWNER: f"{getpass.getuser()}@{socket.gethostname()}"},
        },
    }
    try:
        await client.apply(CONFIG_MAPS, body)
    except NotOurs as error:
        said = "; ".join(_claim(client, await claimed(client)))
        raise LabError(f"{client.context}: {said or error}") from error


async def _may(client: Guest, need: Need) -> bool:
    resource, _, sub = need.resource.partition("/")
    asked = {
        "verb": need.verb,
        "group": need.group,
        "resource": resource,
        "subresource": sub,
        "namespace": need.namespace,
    }
    review = {
        "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
        "metadata": {},
        "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
    }
    return bool(objects.status(await client.create(SELF_SUBJECT_ACCESS_REVIEWS, review)).get("allowed"))


def _version(version: Mapping[str, str], visit: Visit) -> Iterator[str]:
    """Too old, or without the image of the apps."""
    seen = version.get("gitVersion", "")
    digits = ["".join(filter(str.isdigit, version.get(part, ""))) for part in ("major", "minor")]
    if all(digits) and tuple(map(int, digits)) < LEAST_KUBERNETES:
        least = ".".join(map(str, LEAST_KUBERNETES))
        yield f"it runs Kubernetes {seen}; the lab's objects need {least} or newer"
    if not (visit.apps_image or seen.endswith(POCKET)):
        build = shlex.join(apps_image().build[2:])
        yield (
            f"its nodes cannot pull {PODS_TAG}: say `apps-image: NAME` in the topology, a name in a registry"
            f" of yours, after `docker build --tag=NAME {build}` and `docker push NAME`"
        )


def _claim(client: Guest, found: Object | None) -> Iterator[str]:
    if found is not None and not client.owns(found):
        lab = objects.labels(found).get(LAB_LABEL, "?")
        who = objects.annotations(found).get(OWNER, "somebody")
        yield (
            f"lab {lab} of {who} uses it, and one lab at a time can: `lab down --lab {lab}` there ends that"
            f" (if its folder is lost: all it made has the label {CLAIM_LABEL}="
            f"{objects.labels(found).get(CLAIM_LABEL, '?')}; delete ConfigMap"
            f" {record.NAMESPACE}/{client.record} last)"
        )


def _mesh(client: Guest, spaces: Spaces, visit: Visit) -> Iterator[str]:
    """A mesh where the lab would install one, none where one should be, or namespaces that it leaves out."""
    there = [name for name in MESH_NAMESPACES if name in spaces]
    if visit.mesh == "lab":
        for name in there:
            if not client.owns(spaces[name]):
                yield (
                    f"namespace {name} is there, and the lab did not make it: a mesh that is there is left"
                    " alone (`mesh: user` in the topology uses it)"
                )
    elif visit.mesh == "user" and MESH_NAMESPACES[0] not in there:
        yield "there is no namespace linkerd: no mesh is installed, and the topology says `mesh: user`"
    if visit.mesh != "none":
        for name in visit.namespaces:
            if name in spaces and objects.annotations(spaces[name]).get(INJECT) != "enabled":
                yield f"namespace {name} is there without {INJECT}=enabled: pods in it would get no proxy"


async def _in_use(client: Guest, namespace: str, workloads: Iterable[str]) -> list[str]:
    """Objects of others that have the names of the lab's."""
    listed = await together(*(client.list(kind, namespace) for kind in (DEPLOYMENTS, SERVICES)))
    return [
        f"{obj['kind']} {namespace}/{objects.name(obj)} is there, and this lab did not make it"
        for objs in listed
        for obj in objs
        if objects.name(obj) in workloads and not client.owns(obj)
    ]


def _notes(client: Guest, spaces: Spaces, visit: Visit) -> Iterator[str]:
    for name in visit.namespaces:
        if name in spaces and not client.owns(spaces[name]):
            yield f"namespace {name} is there: it is used as it is, and stays"
    if visit.mesh == "user":
        yield "the mesh that is there is used as it is, and stays"
