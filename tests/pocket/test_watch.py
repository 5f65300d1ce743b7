"""watch: order, selectors, resumption, bookmarks, streaming lists and 410."""

import pytest

from .conftest import Http, Server, Watch, config_map, pod


def url(server: Server, space: str, query: str = "", plural: str = "configmaps") -> str:
    return f"{server.url}{space}/{plural}?watch=1&{query}"


async def test_a_watch_without_revision_starts_with_what_exists(
    http: Http, server: Server, space: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    async with Watch(http, url(server, space)) as watch:
        await http.post(f"{space}/configmaps", config_map("b"))
        assert await watch.names(2) == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_watch_from_a_list_misses_nothing(http: Http, server: Server, space: str) -> None:
    revision = (await http.get(f"{space}/configmaps")).body["metadata"]["resourceVersion"]
    await http.post(f"{space}/configmaps", config_map("a"))
    await http.patch(f"{space}/configmaps/a", {"data": {"k": "v"}})
    await http.delete(f"{space}/configmaps/a")
    async with Watch(http, url(server, space, f"resourceVersion={revision}")) as watch:
        assert await watch.names(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_an_object_that_leaves_the_selection_is_deleted_for_the_watcher(
    http: Http, server: Server, space: str
) -> None:
    async with Watch(http, url(server, space, "labelSelector=app%3Dp", "pods")) as watch:
        await http.post(f"{space}/pods", pod("p"))
        await http.patch(f"{space}/pods/p", {"metadata": {"labels": {"app": "q"}}})
        await http.patch(f"{space}/pods/p", {"metadata": {"labels": {"app": "p"}}})
        assert await watch.names(3) == [("ADDED", "p"), ("DELETED", "p"), ("ADDED", "p")]


async def test_a_watch_of_one_name_sees_only_that_object(http: Http, server: Server, space: str) -> None:
    async with Watch(http, url(server, space, "fieldSelector=metadata.name%3Db")) as watch:
        for name in "ab":
            await http.post(f"{space}/configmaps", config_map(name))
        assert await watch.names(1) == [("ADDED", "b")]


async def test_a_streaming_list_ends_with_a_marked_bookmark(http: Http, server: Server, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with Watch(http, url(server, space, query)) as watch:
        first, (kind, mark) = await watch.next(), await watch.next()
    assert (first[0], kind) == ("ADDED", "BOOKMARK")
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_ends_after_its_timeout_with_a_last_bookmark(
    http: Http, server: Server, space: str
) -> None:
    head = (await http.get(f"{space}/configmaps")).body["metadata"]["resourceVersion"]
    query = f"watch=1&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion={head}"
    reply = await http.get(f"{space}/configmaps?{query}")
    assert reply.body["type"] == "BOOKMARK"


async def test_a_revision_from_the_future_is_refused_with_a_retry(http: Http, space: str) -> None:
    reply = await http.get(f"{space}/configmaps?watch=1&resourceVersion=999999999")
    causes = reply.body["details"]["causes"]
    assert (reply.code, causes[0]["reason"]) == (504, "ResourceVersionTooLarge")


async def test_an_object_that_leaves_the_selection_shows_as_it_last_was(
    http: Http, server: Server, space: str
) -> None:
    async with Watch(http, url(server, space, "labelSelector=app%3Dp", "pods")) as watch:
        await http.post(f"{space}/pods", pod("p"))
        left = (await http.patch(f"{space}/pods/p", {"metadata": {"labels": {"app": "q"}}})).body
        await watch.next()
        kind, last = await watch.next()
    assert (kind, last["metadata"]["labels"]) == ("DELETED", {"app": "p"})
    assert last["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_named_watch_takes_no_selector_for_another_name(http: Http, space: str) -> None:
    path = f"{space}/configmaps/a?watch=1&fieldSelector=metadata.name%3Db"
    reply = await http.get(path)
    expected = "fieldSelector metadata.name doesn't match requested name"
    assert (reply.code, reply.body["message"]) == (400, expected)


async def test_a_path_with_a_name_watches_that_object(http: Http, server: Server, space: str) -> None:
    async with Watch(http, f"{server.url}{space}/configmaps/b?watch=1") as watch:
        for name in "ab":
            await http.post(f"{space}/configmaps", config_map(name))
        assert await watch.names(1) == [("ADDED", "b")]


async def test_a_watch_of_metadata_only_ends_its_list_in_the_same_shape(
    http: Http, server: Server, space: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a", k="v"))
    query = "allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    shape = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    async with Watch(http, url(server, space, query), shape) as watch:
        events = [await watch.next(), await watch.next()]
    assert [kind for kind, _ in events] == ["ADDED", "BOOKMARK"]
    assert {obj["kind"] for _, obj in events} == {"PartialObjectMetadata"}
    assert "data" not in events[0][1]


async def test_a_watch_as_a_table_heads_its_columns_once(http: Http, server: Server, space: str) -> None:
    for name in "ab":
        await http.post(f"{space}/configmaps", config_map(name))
    shape = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with Watch(http, url(server, space), shape) as watch:
        tables = [(await watch.next())[1] for _ in range(2)]
    assert [bool(table["columnDefinitions"]) for table in tables] == [True, False]
    assert [table["rows"][0]["cells"][0] for table in tables] == ["a", "b"]


SELECTORS = [
    ("app in (a,b)", "ab"), ("app notin (a)", "bc"), ("app", "abc"), ("!app", ""), ("app!=a,app!=b", "c"),
    ("app==a", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("selector", "names"), SELECTORS)
async def test_label_selectors_choose_by_equality_and_by_set(
    http: Http, space: str, selector: str, names: str
) -> None:
    for name in "abc":
        await http.post(f"{space}/pods", pod(name))
    found = (await http.get(f"{space}/pods", params={"labelSelector": selector})).body["items"]
    assert "".join(item["metadata"]["name"] for item in found) == names


@pytest.mark.parametrize(
    ("plural", "selector", "text"),
    [
        ("pods", "spec.foo=x", "field label not supported: spec.foo"),
        ("configmaps", "data.k=x", '"data.k" is not a known field selector: only "metadata.name", '
         '"metadata.namespace"'),
    ],
)  # fmt: skip
async def test_a_field_that_a_kind_cannot_select_by_is_named(
    http: Http, space: str, plural: str, selector: str, text: str
) -> None:
    reply = await http.get(f"{space}/{plural}", params={"fieldSelector": selector})
    assert (reply.code, reply.body["message"]) == (400, text)


async def test_events_are_selected_by_what_they_are_about_in_both_versions(http: Http, space: str) -> None:
    ns = space.rpartition("/")[2]
    for name in "ab":
        about = {"kind": "Pod", "name": name, "namespace": ns}
        await http.post(f"{space}/events", {"metadata": {"name": name}, "involvedObject": about})
    paths = {
        f"{space}/events": "involvedObject.name=b",
        f"{space.replace('/api/v1', '/apis/events.k8s.io/v1')}/events": "regarding.name=b",
    }
    found = [
        [i["metadata"]["name"] for i in (await http.get(p, params={"fieldSelector": s})).body["items"]]
        for p, s in paths.items()
    ]
    assert found == [["b"], ["b"]]


async def test_a_watcher_that_goes_away_leaves_no_trace_in_the_log(
    http: Http, server: Server, space: str
) -> None:
    for _ in range(5):
        async with Watch(http, url(server, space)) as watch:
            await http.post(f"{space}/configmaps", {"metadata": {"generateName": "a-"}})
            await watch.next()
        await http.post(f"{space}/configmaps", {"metadata": {"generateName": "a-"}})
    assert "Traceback" not in (server.root / "log").read_text()
