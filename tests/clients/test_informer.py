"""The official Python client's informer on an API server that goes away and comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client import ApiClient, ApiException, CoreV1Api
from kubernetes.informer import SharedInformer

from lab.base.wait import until
from lab.pocket.apiserver.storage.record import Key
from lab.pocket.apiserver.storage.store import Store
from tests.pocket.conftest import Server, new_server

pytestmark = pytest.mark.slow
EVENTS = ("ADDED", "MODIFIED", "DELETED")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = new_server(tmp_path / "cluster")
    made.start()
    yield made
    made.end()


@pytest.fixture
def core(server: Server) -> Iterator[CoreV1Api]:
    settings = client.Configuration(host=server.url)
    settings.ssl_ca_cert = str(server.pki.folder / "ca.crt")
    settings.cert_file, settings.key_file = (
        str(server.pki.folder / f"admin.{end}") for end in ("crt", "key")
    )
    with ApiClient(settings) as made:
        yield CoreV1Api(made)
        made.rest_client.pool_manager.clear()  # the package leaves its connections to the garbage collector


class Seen:
    """What an informer told, in order; `errors` are the statuses of failed requests."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.errors: list[int] = []

    def follow(self, informer: SharedInformer) -> None:
        for kind in EVENTS:
            informer.add_event_handler(kind, lambda obj, kind=kind: self._event(kind, obj.metadata.name))
        informer.add_event_handler("ERROR", self._error)

    def _event(self, kind: str, name: str) -> None:
        self.events.append(f"{kind} {name}")

    def _error(self, error: Exception) -> None:
        if isinstance(error, ApiException):
            self.errors.append(error.status)

    async def until(self, *wanted: str) -> None:
        async def told() -> bool:
            return all(event in self.events for event in wanted)

        await until(told, timeout=20, what=f"{wanted}, seen {self.events}", every=0.05)


@contextmanager
def informing(core: CoreV1Api) -> Iterator[Seen]:
    seen = Seen()
    informer = SharedInformer(
        core.list_namespaced_config_map, "default", resync_period=2, label_selector="seen=yes"
    )
    seen.follow(informer)
    informer.start()
    try:
        yield seen
    finally:
        informer.stop()


def create(core: CoreV1Api, name: str) -> None:
    core.create_namespaced_config_map("default", {"metadata": {"name": name, "labels": {"seen": "yes"}}})


def forget_a_deletion(server: Server, name: str) -> None:
    """While the server is down: an object goes, and with it the history that would tell."""
    store = Store(server.root / "store.db")
    record = store.get(Key("/configmaps", "default", name))
    assert record is not None
    store.delete(record.key, record.copy(), record.revision)
    store.compact(store.head)
    store.close()


async def test_an_informer_carries_on_after_the_server_was_killed(server: Server, core: CoreV1Api) -> None:
    create(core, "before")
    with informing(core) as seen:
        await seen.until("ADDED before")
        server.end(9)
        server.start()
        create(core, "after")
        core.delete_namespaced_config_map("before", "default")
        await seen.until("ADDED after", "DELETED before")
    assert seen.events.count("ADDED before") == 1


async def test_an_informer_lists_again_when_its_revision_is_compacted(
    server: Server, core: CoreV1Api
) -> None:
    create(core, "kept")
    create(core, "lost")
    with informing(core) as seen:
        await seen.until("ADDED kept", "ADDED lost")
        server.end()
        forget_a_deletion(server, "lost")
        server.start()
        await seen.until("DELETED lost")
    assert 410 in seen.errors
