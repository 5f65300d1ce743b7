"""The store by itself: revisions, history, compaction and what a second opening finds."""

from pathlib import Path

import pytest

from lab.pocket.apiserver.storage.record import Key
from lab.pocket.apiserver.storage.store import HISTORY, Exists, Gone, Stale, Store

A = Key("/configmaps", "default", "a")


def obj(value: object = "") -> dict[str, object]:
    return {"metadata": {"name": "a"}, "data": {"k": str(value)}}


def test_a_reopened_store_has_the_same_objects_and_goes_on_counting(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.put(A, obj(), 0)
    store.put(Key("/configmaps", "default", "b"), obj(), 0)
    store.close()
    again = Store(tmp_path / "s.db")
    assert ([r.key.name for r in again.list("/configmaps")], again.head) == (["a", "b"], 2)
    again.close()


def test_a_put_from_an_old_revision_is_stale(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    first = store.put(A, obj(1), 0)
    store.put(A, obj(2), first.revision)
    with pytest.raises(Stale):
        store.put(A, obj(3), first.revision)
    store.close()


def test_a_create_over_an_object_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.put(A, obj(), 0)
    with pytest.raises(Exists):
        store.put(A, obj(), 0)
    store.close()


def test_history_older_than_the_limit_is_gone_and_younger_is_whole(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    record = store.put(A, obj(), 0)
    for number in range(HISTORY + HISTORY // 2):
        record = store.put(A, obj(number), record.revision)
    with pytest.raises(Gone):
        store.subscribe("/configmaps", "", 1)
    assert len(store.list_at("/configmaps", "", record.revision - 10)) == 1
    store.close()


def test_compaction_keeps_current_objects_and_the_head_over_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    kept = store.put(A, obj("kept"), 0)
    other = Key("/configmaps", "default", "b")
    gone = store.put(other, obj(), 0)
    head = store.delete(other, obj(), gone.revision).revision
    store.compact(head)
    store.close()
    again = Store(tmp_path / "s.db")
    assert ([r.revision for r in again.list("/configmaps")], again.head) == ([kept.revision], head)
    again.close()


async def test_a_reader_that_does_not_keep_up_is_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    slow = store.subscribe("/configmaps", "", 0)
    record = store.put(A, obj(), 0)
    for number in range(5000):
        record = store.put(A, obj(number), record.revision)
    assert (slow.dropped, await slow.take(1)) == (True, [])
    store.close()


def test_a_list_in_the_past_shows_that_moment(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    first = store.put(A, obj(1), 0)
    second = store.put(A, obj(2), first.revision)
    store.delete(A, obj(2), second.revision)
    found = [record.obj["data"] for record in store.list_at("/configmaps", "", first.revision)]
    assert found == [{"k": "1"}]
    store.close()
