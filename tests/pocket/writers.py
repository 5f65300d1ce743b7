"""Writers that remember what they were told, and watchers that never lose their place.

The durability tests run them against a server that is killed again and again. A write is acknowledged,
or its answer never came: then it may be there wholly or not at all, and `settle` finds out which.
"""

import asyncio
import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .conftest import APPLY, JSON_PATCH, MERGE, Http, Server, config_map, deployment, pod

Object = dict[str, Any]
GONE = (aiohttp.ClientError, OSError, TimeoutError)
"""What a client sees of a server that was killed."""
NAMESPACES = ("default", "kube-public", "kube-node-lease")
WIDGETS = {
    "metadata": {"name": "widgets.durable.example.com"},
    "spec": {
        "group": "durable.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Where objects live, and one of them."""

    root: str
    plural: str
    api_version: str
    kind: str
    example: Object
    namespaced: bool = True

    @property
    def everywhere(self) -> str:
        return f"{self.root}/{self.plural}"

    def collection(self, namespace: str) -> str:
        return f"{self.root}/namespaces/{namespace}/{self.plural}" if self.namespaced else self.everywhere


KINDS = (
    Kind("/api/v1", "configmaps", "v1", "ConfigMap", config_map("x", k="v")),
    Kind("/api/v1", "secrets", "v1", "Secret", {"metadata": {}, "stringData": {"k": "v"}}),
    Kind("/api/v1", "pods", "v1", "Pod", pod("x")),
    Kind("/apis/apps/v1", "deployments", "apps/v1", "Deployment", deployment("x")),
    Kind(
        "/apis/rbac.authorization.k8s.io/v1", "clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole",
        {"metadata": {}, "rules": []}, namespaced=False,
    ),
    Kind(
        "/apis/durable.example.com/v1", "widgets", "durable.example.com/v1", "Widget",
        {"metadata": {}, "spec": {"size": 3}},
    ),
)  # fmt: skip


@dataclass
class Known:
    """One object: what the last answer said (None: absent), and the tokens that may be there instead."""

    token: str | None = None
    revision: int = 0
    obj: Object = field(default_factory=dict)
    unsure: tuple[str | None, ...] = ()


@dataclass
class Ledger:
    """What all writers know. Objects are named by their path, writes by a token kept twice in them."""

    objects: dict[str, Known] = field(default_factory=dict)
    revisions: dict[int, str] = field(default_factory=dict)
    settled: int = 0
    writes: int = 0

    def acknowledge(self, path: str, token: str | None, reply: Object) -> None:
        self.writes += 1
        self.objects[path] = known = Known(token)
        if token is None:
            return
        known.obj, known.revision = reply, int(reply["metadata"]["resourceVersion"])
        assert known.revision > self.settled, f"revision {known.revision} of {path} was used before"
        assert known.revision not in self.revisions, f"{path} and {self.revisions[known.revision]} share one"
        self.revisions[known.revision] = path

    async def settle(self, http: Http) -> None:
        """Compare a restarted server with what was acknowledged; what was open is decided now."""
        found: dict[str, Object] = {}
        for kind in KINDS:
            listed = await http.get(f"{kind.everywhere}?labelSelector=durable")
            assert listed.code == 200, listed.body
            self.settled = max(self.settled, int(listed.body["metadata"]["resourceVersion"]))
            for item in listed.body["items"]:
                meta = item["metadata"]
                found[f"{kind.collection(meta.get('namespace', ''))}/{meta['name']}"] = item
        assert self.settled >= max(self.revisions, default=0), "the newest acknowledged revision is lost"
        assert found.keys() <= self.objects.keys(), "objects that nobody wrote"
        for path, known in self.objects.items():
            self._settle_one(path, known, found.get(path))

    def _settle_one(self, path: str, known: Known, obj: Object | None) -> None:
        token = None if obj is None else whole_token(obj)
        assert token in (known.token, *known.unsure), f"{path}: {token}, acknowledged was {known}"
        revision = 0 if obj is None else int(obj["metadata"]["resourceVersion"])
        if token == known.token:
            assert revision == known.revision, f"{path} moved from {known.revision} to {revision}"
        elif revision:
            self.revisions[revision] = path
        self.objects[path] = Known(token, revision, obj or {})


def whole_token(obj: Object) -> str:
    """The token of the write that made the object; a half-applied write would show two."""
    notes = obj["metadata"]["annotations"]
    assert notes["token"] == notes["twin"], f"half a write: {notes}"
    return str(notes["token"])


@dataclass
class Writer:
    """Creates, changes and deletes objects of its own, in random order, until the server is gone."""

    lane: str
    ledger: Ledger
    dice: random.Random
    count: int = 0

    async def run(self, server: Server) -> None:
        http = Http(server)
        try:
            while True:
                await self.step(http)
        except GONE:
            return
        finally:
            await http.close()

    async def step(self, http: Http) -> None:
        kind, name = self.dice.choice(KINDS), f"{self.lane}-{self.dice.randrange(3)}"
        path = f"{kind.collection(self.dice.choice(NAMESPACES))}/{name}"
        known = self.ledger.objects.setdefault(path, Known())
        self.count += 1
        token: str | None = f"{self.lane}-{self.count}"
        if known.token is not None and self.dice.random() < 0.2:
            token = None
        known.unsure = (token,)
        reply = await self._send(http, kind, path, token)
        assert reply.code in (200, 201), f"{path}: {reply.code} {reply.body}"
        self.ledger.acknowledge(path, token, reply.body)

    async def _send(self, http: Http, kind: Kind, path: str, token: str | None) -> Any:
        known, notes = self.ledger.objects[path], {"token": token, "twin": token}
        if token is None:
            return await http.delete(path)
        if known.token is None:
            obj = deepcopy(kind.example)
            obj["metadata"] |= {
                "name": path.rpartition("/")[2],
                "annotations": notes,
                "labels": {"durable": ""},
            }
            if self.dice.random() < 0.5:
                return await http.post(path.rpartition("/")[0], obj)
            obj |= {"apiVersion": kind.api_version, "kind": kind.kind}
            return await http.patch(f"{path}?fieldManager={self.lane}&force=true", obj, APPLY)
        way = self.dice.randrange(3)
        if way == 0:
            obj = deepcopy(known.obj)
            obj["metadata"]["annotations"] |= notes
            return await http.put(path, obj)
        if way == 1:
            return await http.patch(path, {"metadata": {"annotations": notes}}, MERGE)
        steps = [
            {"op": "replace", "path": f"/metadata/annotations/{name}", "value": value}
            for name, value in notes.items()
        ]
        return await http.patch(path, steps, JSON_PATCH)


@dataclass
class Counter:
    """Several of these add one to the same number by compare-and-swap."""

    path: str
    added: int = 0
    unsure: int = 0

    async def run(self, server: Server) -> None:
        http = Http(server)
        open_write = 0
        try:
            while True:
                obj = (await http.get(self.path)).body
                obj["data"]["n"] = str(int(obj["data"]["n"]) + 1)
                open_write = 1
                reply = await http.put(self.path, obj)
                open_write = 0
                assert reply.code in (200, 409), reply.body
                self.added += reply.code == 200
        except GONE:
            self.unsure += open_write
        finally:
            await http.close()


@dataclass
class Follower:
    """Watches one kind through all restarts, from the last revision it saw."""

    kind: Kind
    revision: int = 0
    seen: list[int] = field(default_factory=list)
    state: dict[str, int] = field(default_factory=dict)
    resumed: int = 0

    async def run(self, server: Server, serving: asyncio.Event) -> None:
        while True:
            await serving.wait()
            http = Http(server)
            try:
                await self._follow(http, server)
            except GONE:
                self.resumed += 1
            finally:
                await http.close()

    async def _follow(self, http: Http, server: Server) -> None:
        query = f"watch=1&labelSelector=durable&resourceVersion={self.revision}"
        async with http.session.get(f"{server.url}{self.kind.everywhere}?{query}") as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                if line.endswith(b"\n"):  # what a killed server had not sent to its end comes again
                    self._take(json.loads(line))

    def _take(self, event: Object) -> None:
        assert event["type"] != "ERROR", event
        meta = event["object"]["metadata"]
        revision = int(meta["resourceVersion"])
        assert revision > self.revision, f"{revision} after {self.revision}: not once, or not in order"
        path = f"{self.kind.collection(meta.get('namespace', ''))}/{meta['name']}"
        known = path in self.state
        assert known == (event["type"] != "ADDED"), f"{event['type']} {path}, known: {known}"
        self.revision = revision
        self.seen.append(revision)
        if event["type"] == "DELETED":
            del self.state[path]
        else:
            self.state[path] = revision

    def expected(self, ledger: Ledger) -> Iterator[tuple[str, int]]:
        """The objects of this kind as the writers know them."""
        for path, known in ledger.objects.items():
            if path.startswith(self.kind.root) and f"/{self.kind.plural}/" in path and known.revision:
                yield path, known.revision
