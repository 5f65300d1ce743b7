"""Lists at a revision and in pages, also when the revision is gone."""

import base64
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from lab.pocket.apiserver.storage.record import Key
from lab.pocket.apiserver.storage.store import HISTORY, Store

from .conftest import Http, Server, new_server

ITEMS = "/api/v1/namespaces/old/configmaps"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three objects, whose history begins long after its first revision."""
    found = new_server(tmp_path_factory.mktemp("old"))
    store = Store(found.root / "store.db")
    revisions = dict.fromkeys("abc", 0)
    for count in range(2 * HISTORY):
        name = "abc"[count % 3]
        meta = {"name": name, "namespace": "old", "uid": name}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"n": str(count)}}
        record = store.put(Key("/configmaps", "old", name), obj, revisions[name])
        revisions[name] = record.revision
    store.close()
    found.start()
    yield found
    found.end()


@pytest.fixture
async def http(old: Server) -> AsyncIterator[Http]:
    client = Http(old)
    yield client
    await client.close()


def token(revision: int, start: str) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def test_a_page_tells_how_many_are_left(http: Http) -> None:
    found = (await http.get(f"{ITEMS}?limit=1")).body
    assert ([i["metadata"]["name"] for i in found["items"]], found["metadata"]["remainingItemCount"]) == (
        ["a"], 2,
    )  # fmt: skip


async def test_a_selected_page_does_not_count_what_is_left(http: Http) -> None:
    found = (await http.get(f"{ITEMS}?limit=1&labelSelector=!x")).body
    assert ("continue" in found["metadata"], "remainingItemCount" in found["metadata"]) == (True, False)


async def test_an_expired_page_is_gone_with_a_token_to_go_on(http: Http) -> None:
    gone = await http.get(f"{ITEMS}?limit=1&continue={token(1, 'old/a' + chr(0))}")
    rest = (await http.get(f"{ITEMS}?continue={gone.body['metadata']['continue']}")).body
    assert (gone.code, gone.body["reason"]) == (410, "Expired")
    assert gone.body["message"].startswith(
        "The provided continue parameter is too old to display a consistent"
    )
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]


async def test_a_token_with_a_revision_beside_it_is_refused(http: Http) -> None:
    more = (await http.get(f"{ITEMS}?limit=1")).body["metadata"]["continue"]
    reply = await http.get(f"{ITEMS}?limit=1&continue={more}&resourceVersion=1")
    expected = "specifying resource version is not allowed when using continue"
    assert (reply.code, reply.body["message"]) == (400, expected)


@pytest.mark.parametrize("text", ["x", token(0, "old/a"), token(5, "a"), "e30"])
async def test_what_is_no_token_is_refused(http: Http, text: str) -> None:
    reply = await http.get(f"{ITEMS}?continue={text}")
    assert (reply.code, reply.body["message"]) == (400, "continue key is not valid")


async def test_an_exact_list_of_a_forgotten_revision_is_gone(http: Http) -> None:
    reply = await http.get(f"{ITEMS}?resourceVersion=1&resourceVersionMatch=Exact")
    assert (reply.code, reply.body["reason"]) == (410, "Expired")


async def test_an_exact_list_shows_the_revision_it_names(http: Http) -> None:
    head = int((await http.get(ITEMS)).body["metadata"]["resourceVersion"])
    exact = (await http.get(f"{ITEMS}?resourceVersion={head - 3}&resourceVersionMatch=Exact")).body
    assert exact["metadata"]["resourceVersion"] == str(head - 3)
    assert all(int(item["metadata"]["resourceVersion"]) <= head - 3 for item in exact["items"])


@pytest.mark.parametrize("match", ["", "&resourceVersionMatch=NotOlderThan"])
async def test_a_list_not_older_than_a_revision_shows_the_latest(http: Http, match: str) -> None:
    found = (await http.get(f"{ITEMS}?resourceVersion=1{match}")).body
    head = (await http.get(ITEMS)).body["metadata"]["resourceVersion"]
    assert found["metadata"]["resourceVersion"] == head


async def test_a_watch_from_a_forgotten_revision_gets_an_error_event(http: Http) -> None:
    reply = await http.get(f"{ITEMS}?watch=1&resourceVersion=1")
    status = reply.body["object"]
    assert (reply.code, reply.body["type"], status["code"], status["reason"]) == (
        200,
        "ERROR",
        410,
        "Expired",
    )
    assert status["message"].startswith("too old resource version: 1 (")
