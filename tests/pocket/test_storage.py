"""The store by itself: revisions, history, compaction and what a second opening finds."""

import shutil
from pathlib import Path

import pytest

from lab.pocket.apiserver.storage.record import Key
from lab.pocket.apiserver.storage.store import HISTORY, Exists, Gone, Stale, Store, StoreFailed

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
    cuts: list[str] = []
    slow.cut = lambda: cuts.append("cut")
    record = store.put(A, obj(), 0)
    for number in range(5000):
        record = store.put(A, obj(number), record.revision)
    assert (slow.dropped, await slow.take(1), cuts) == (True, [], ["cut"])
    store.close()


def test_a_list_in_the_past_shows_that_moment(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    first = store.put(A, obj(1), 0)
    second = store.put(A, obj(2), first.revision)
    store.delete(A, obj(2), second.revision)
    found = [record.obj["data"] for record in store.list_at("/configmaps", "", first.revision)]
    assert found == [{"k": "1"}]
    store.close()


def filled(path: Path) -> None:
    store = Store(path)
    for number in range(200):
        store.put(Key("/configmaps", "default", f"n{number}"), obj("x" * 500), 0)
    store.close()


@pytest.mark.parametrize("offset", [0, 4096, 8192], ids=["header", "first page", "inside"])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "s.db"
    filled(path)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * 4096)
    with pytest.raises(StoreFailed, match=r"s\.db is damaged: ") as caught:
        Store(path)
    assert "put back a copy, or move s.db* out of the folder" in caught.value.remedy


def test_a_torn_end_of_the_log_leaves_everything_before_it(tmp_path: Path) -> None:
    """As after a power cut: the last pages of the write-ahead log are half there."""
    store = Store(tmp_path / "s.db")
    for number in range(50):
        store.put(Key("/configmaps", "default", f"n{number}"), obj("x" * 500), 0)
    for name in ("s.db", "s.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / f"torn-{name}")
    store.close()
    wal = tmp_path / "torn-s.db-wal"
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - 5000)
    again = Store(tmp_path / "torn-s.db")
    found = {record.key.name for record in again.list("/configmaps")}
    assert found == {f"n{number}" for number in range(again.head)}
    assert 40 < again.head < 50
    again.close()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    with pytest.raises(StoreFailed, match=r"s\.db is in use by another API server") as caught:
        Store(tmp_path / "s.db")
    assert caught.value.remedy == "stop that one, or give this one a data folder of its own"
    store.close()


def test_a_failed_compaction_leaves_later_writes_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "s.db", history=10)
    monkeypatch.setattr("lab.pocket.apiserver.storage.log._COMPACT", "DELETE FROM nothing WHERE :floor")
    record = store.put(A, obj(0), 0)
    for number in range(30):
        record = store.put(A, obj(number), record.revision)
    assert not store._log._db.in_transaction
    monkeypatch.undo()
    for number in range(10):
        record = store.put(A, obj(number), record.revision)
    store.close()
    again = Store(tmp_path / "s.db", history=10)
    assert again.head == record.revision
    with pytest.raises(Gone):
        again.subscribe("/configmaps", "", 20)
    again.close()


def test_a_store_that_is_opened_again_and_again_still_compacts(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db", history=10)
    record = store.put(A, obj(0), 0)
    for number in range(60):
        store.close()
        store = Store(tmp_path / "s.db", history=10)
        record = store.put(A, obj(number), record.revision)
    assert len(list(store._log.rows())) <= 10 + 5 + 1
    store.close()
