"""watch: order, selectors, resumption, bookmarks, streaming lists and 410."""

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
