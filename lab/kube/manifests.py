"""YAML files → objects, and objects → a cluster, as `kubectl apply --server-side` would do it.

Objects that others need (namespaces, definitions, accounts, configuration) go first; within such a
wave everything is applied at once.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.wait import until
from lab.kube.client import Client, Request
from lab.kube.errors import NotFound
from lab.kube.kinds import CRDS, Kind, kind_of
from lab.kube.objects import Object, is_condition_true, name, namespace
from lab.topology.grammar import is_inline

_WAVES = (
    frozenset({"Namespace", "CustomResourceDefinition"}),
    frozenset(
        {
            "ServiceAccount",
            "ConfigMap",
            "Secret",
            "Role",
            "ClusterRole",
            "RoleBinding",
            "ClusterRoleBinding",
            "Service",
        }
    ),
)


class Unserved(LabError):
    """The server serves no such kind."""


def read(path: Path) -> list[Object]:
    """All objects of a YAML file, or of every YAML file below a folder, in name order.

    Raises LabError naming the file for YAML that does not parse or is no Kubernetes object.
    """
    files = sorted(f for f in path.rglob("*") if f.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    return [obj for file in files for obj in _read_file(file)]


def written(manifest: str) -> list[Object]:
    """All objects of a manifest of a topology: a path, or the YAML itself. Raises LabError as `read` does."""
    return parsed(manifest, "in the topology") if is_inline(manifest) else read(Path(manifest))


def _read_file(file: Path) -> list[Object]:
    try:
        return parsed(file.read_bytes(), str(file))
    except OSError as error:
        raise LabError(f"manifest {file}: {error}") from error


def parsed(text: str | bytes, source: str) -> list[Object]:
    """All objects of YAML text; `source` names it in errors. Raises LabError as `read` does."""
    try:
        documents = [d for d in yaml.load_all(text, Loader=yaml.CSafeLoader) if d is not None]
    except yaml.YAMLError as error:
        raise LabError(f"manifest {source}: {error}") from error
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or "kind" not in document or "apiVersion" not in document:
            raise LabError(f"manifest {source}: document {number} has no apiVersion and kind")
    return [item for d in documents for item in (d["items"] if d["kind"] == "List" else [d])]


def waves(objs: Iterable[Object]) -> list[list[Object]]:
    """Objects grouped by what must exist before what. Pure."""
    grouped: list[list[Object]] = [[], [], []]
    for obj in objs:
        index = next((i for i, kinds in enumerate(_WAVES) if obj["kind"] in kinds), len(_WAVES))
        grouped[index].append(obj)
    return [group for group in grouped if group]


async def apply_all(client: Client, objs: Sequence[Object], *, manager: str = "lab") -> None:
    """Server-side apply of everything; an error names the object that was refused."""
    for wave in waves(objs):
        applied = await together(*(_apply(client, obj, manager) for obj in wave))
        if definitions := [obj for obj in applied if obj["kind"] == CRDS.kind]:
            await _established(client, definitions)


async def _apply(client: Client, obj: Object, manager: str) -> Object:
    kind = await resolve(client, obj)
    if kind.namespaced and not namespace(obj):
        obj = {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}
    try:
        return await client.apply(kind, obj, manager=manager)
    except LabError as error:
        raise LabError(f"{kind.kind} {namespace(obj)}/{name(obj)}: {error}", remedy=error.remedy) from error


async def _established(client: Client, definitions: Sequence[Object]) -> None:
    async def all_served() -> bool:
        current = [await client.get(CRDS, name(d)) for d in definitions]
        return all(is_condition_true(d, "Established") for d in current)

    await until(
        all_served, timeout=10, every=0.02, what=f"{len(definitions)} definitions served by {client.server}"
    )


async def resolve(client: Client, obj: Object) -> Kind:
    """The Kind of any object, from our table or by asking the server. Raises Unserved."""
    try:
        return kind_of(obj)
    except KeyError:
        pass  # not a kind of ours: the server knows
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        answer = json.loads(await client.raw(Request("GET", path)))
    except NotFound:
        answer = {}
    for row in answer.get("resources", ()):
        if row["kind"] == obj["kind"] and "/" not in row["name"]:
            return Kind(group, version, row["kind"], row["name"], row["namespaced"])
    raise Unserved(
        f"{obj['kind']} {name(obj)}: {client.server} serves no {obj['kind']} in {obj['apiVersion']}",
        remedy="apply its CustomResourceDefinition first",
    )
