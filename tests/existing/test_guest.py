"""The client that knows whose an object is, in a real API server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.engines.existing import contexts
from lab.engines.existing.guest import CLAIM_LABEL, Guest, NotOurs
from lab.kube import objects, record
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import CONFIG_MAPS, NAMESPACES
from lab.kube.objects import Object
from tests.mesh.clusters import api_cluster
from tests.node.cluster import kubeconfig, pki


@pytest.fixture
async def theirs(tmp_path: Path) -> AsyncIterator[Client]:
    """The administrator's client; the guest's is made of its folder."""
    keys = pki(tmp_path)
    async with api_cluster("west", tmp_path / "west", keys, "172.28.0.10") as cluster:
        yield cluster.client


@pytest.fixture
async def guest(theirs: Client, tmp_path: Path) -> AsyncIterator[Guest]:
    document = kubeconfig(int(theirs.server.rpartition(":")[2]), tmp_path)
    found = contexts.Found("west", document["clusters"][0]["cluster"], document["users"][0]["user"])
    async with await Guest.enter(found, "c1a1") as client:
        yield client


def config(name: str, **data: str) -> Object:
    place: dict[str, Any] = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": data}


async def test_what_it_creates_is_its_own_and_can_be_changed(guest: Guest) -> None:
    made = await guest.apply(CONFIG_MAPS, config("mine", a="1", b="2"))
    assert guest.owns(made)
    changed = await guest.apply(CONFIG_MAPS, config("mine", a="3"))
    assert changed["data"] == {"a": "3"}


async def test_what_others_made_is_not_changed(guest: Guest, theirs: Client) -> None:
    before = await theirs.create(CONFIG_MAPS, config("theirs", a="1"), "default")
    with pytest.raises(NotOurs, match="ConfigMap default/theirs is there, and this lab did not make it"):
        await guest.apply(CONFIG_MAPS, config("theirs", a="2"))
    space = await guest.apply(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )
    assert CLAIM_LABEL not in objects.labels(space)
    assert await theirs.get(CONFIG_MAPS, "theirs", "default") == before


async def test_a_copy_and_a_successor_of_its_objects_are_not_its_own(guest: Guest, theirs: Client) -> None:
    made = await guest.apply(CONFIG_MAPS, config("mine", a="1"))
    labels = objects.labels(made)
    copy = config("copy", a="1")
    copy["metadata"]["labels"] = labels
    assert not guest.owns(await theirs.create(CONFIG_MAPS, copy, "default"))
    await theirs.delete(CONFIG_MAPS, "mine", "default")
    successor = config("mine", a="1")
    successor["metadata"]["labels"] = labels
    await theirs.create(CONFIG_MAPS, successor, "default")
    await record.delete(guest, config("mine"))
    assert await theirs.get(CONFIG_MAPS, "mine", "default")


async def test_an_object_without_its_label_was_taken_over(guest: Guest, theirs: Client) -> None:
    await guest.apply(CONFIG_MAPS, config("mine", a="1"))
    await theirs.patch(CONFIG_MAPS, "mine", {"metadata": {"labels": {CLAIM_LABEL: None}}}, "default")
    await record.delete(guest, config("mine"))
    assert await theirs.get(CONFIG_MAPS, "mine", "default")


async def test_its_own_objects_are_deleted_when_they_are_not_wanted_any_more(guest: Guest) -> None:
    await record.converge(guest, "test-objects", [config("one"), config("two")])
    await record.converge(guest, "test-objects", [config("two")])
    with pytest.raises(NotFound):
        await guest.get(CONFIG_MAPS, "one", "default")
