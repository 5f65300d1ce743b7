"""Programs written with the official Python client, blocking: typed, dynamic, watching, leading, in pods."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, stream, utils, watch
from kubernetes.client import ApiClient, ApiException, CoreV1Api
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError, UnprocessibleEntityError
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.clients import manifests

MERGE = "application/merge-patch+json"
pytestmark = [pytest.mark.netns, pytest.mark.slow]


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[ApiClient]:
    with config.new_client_from_config(str(kubeconfig)) as made:
        yield made
        made.rest_client.pool_manager.clear()  # the package leaves its connections to the garbage collector


def refusal(found: pytest.ExceptionInfo[ApiException]) -> tuple[int, str]:
    return found.value.status, json.loads(found.value.body)["reason"]


def test_typed_objects_are_written_read_and_refused(api: ApiClient, space: str) -> None:
    core = CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="one"), data={"a": "1"})
    first = core.create_namespaced_config_map(space, body)
    with pytest.raises(ApiException) as found:
        core.create_namespaced_config_map(space, body)
    assert refusal(found) == (409, "AlreadyExists")

    core.patch_namespaced_config_map("one", space, {"data": {"b": "2"}})
    first.data = {"late": "yes"}
    with pytest.raises(ApiException) as found:
        core.replace_namespaced_config_map("one", space, first)
    assert refusal(found) == (409, "Conflict")
    assert core.read_namespaced_config_map("one", space).data == {"a": "1", "b": "2"}

    body.metadata.name = "Not A Name"
    with pytest.raises(ApiException) as found:
        core.create_namespaced_config_map(space, body)
    assert refusal(found) == (422, "Invalid")
    core.delete_namespaced_config_map("one", space)
    with pytest.raises(ApiException) as found:
        core.read_namespaced_config_map("one", space)
    assert refusal(found) == (404, "NotFound")


def test_pages_continue_where_the_last_one_ended(api: ApiClient, space: str) -> None:
    core = CoreV1Api(api)
    for name in ("a", "b", "c"):
        core.create_namespaced_secret(space, client.V1Secret(metadata=client.V1ObjectMeta(name=name)))
    first = core.list_namespaced_secret(space, limit=2)
    rest = core.list_namespaced_secret(space, limit=2, _continue=first.metadata._continue)
    names = [item.metadata.name for page in (first, rest) for item in page.items]
    assert (names, first.metadata.remaining_item_count, rest.metadata._continue) == (["a", "b", "c"], 1, None)


def test_a_deployment_from_yaml_becomes_available(api: ApiClient, space: str) -> None:
    pod = manifests.pod("web")
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": pod["metadata"], "spec": pod["spec"]},
        },
    }
    (made,) = utils.create_from_dict(api, wanted, namespace=space)
    apps, following = client.AppsV1Api(api), watch.Watch()
    changes = following.stream(apps.list_namespaced_deployment, space, timeout_seconds=30)
    for change in changes:
        if change["object"].status.available_replicas == 2:
            following.stop()
    scale = apps.read_namespaced_deployment_scale("web", space)
    assert (made.metadata.uid, scale.status.replicas) == (scale.metadata.uid, 2)
    scale.spec.replicas = 1
    assert apps.replace_namespaced_deployment_scale("web", space, scale).spec.replicas == 1


def test_a_watch_starts_where_a_list_ended(api: ApiClient, space: str) -> None:
    core, following = CoreV1Api(api), watch.Watch()
    start = core.list_namespaced_config_map(space).metadata.resource_version
    for name in ("a", "b"):
        core.create_namespaced_config_map(space, {"metadata": {"name": name, "labels": {"w": "1"}}})
    core.delete_namespaced_config_map("a", space)
    seen = []
    options: dict[str, Any] = {"label_selector": "w", "timeout_seconds": 10}
    for event in following.stream(core.list_namespaced_config_map, space, resource_version=start, **options):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 3:
            following.stop()
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


def test_the_dynamic_client_serves_a_kind_it_has_just_defined(api: ApiClient, space: str) -> None:
    anything = dynamic.DynamicClient(api)
    definitions = anything.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    definitions.create(manifests.crd("bolts", "Bolt"))
    try:
        anything.resources.invalidate_cache()
        bolts = anything.resources.get(api_version="clients.example.com/v1", kind="Bolt")
        body = {"apiVersion": "clients.example.com/v1", "kind": "Bolt", "metadata": {"name": "b"}, "spec": {}}
        made = bolts.create(body, namespace=space)
        assert made.spec.size == 3
        bolts.status.patch({"status": {"seen": True}}, name="b", namespace=space, content_type=MERGE)
        with pytest.raises(ConflictError):
            bolts.replace({**made.to_dict(), "spec": {"size": 4}}, namespace=space)
        with pytest.raises(UnprocessibleEntityError):
            bolts.patch({"spec": {"size": 0}}, name="b", namespace=space, content_type=MERGE)
        applied = bolts.server_side_apply(
            {**body, "spec": {"size": 5}}, namespace=space, field_manager="me", force_conflicts=True
        )
        assert (applied.spec.size, applied.status.seen) == (5, True)
        assert [
            b.metadata.name for b in bolts.get(namespace=space, field_selector="metadata.name=b").items
        ] == ["b"]
        bolts.delete(name="b", namespace=space)
        with pytest.raises(NotFoundError):
            bolts.get(name="b", namespace=space)
    finally:
        definitions.delete(name="bolts.clients.example.com")


def test_the_second_candidate_leads_when_the_first_has_stopped(api: ApiClient, space: str) -> None:
    leads = {name: threading.Event() for name in ("first", "second")}
    retire = threading.Event()

    def candidate(name: str) -> threading.Thread:
        lock = LeaseLock("leader", space, name)
        lock.api_instance = client.CoordinationV1Api(api)

        def lead() -> None:
            leads[name].set()
            assert retire.wait(30)
            raise RuntimeError("retires")  # the way out of leading that the package offers

        election = LeaderElection(
            Config(lock, 3, 2, 1, onstarted_leading=lead, onstopped_leading=lambda: None)
        )
        thread = threading.Thread(target=election.run, daemon=True)
        thread.start()
        return thread

    first = candidate("first")
    assert leads["first"].wait(10)
    second = candidate("second")
    assert not leads["second"].wait(1.5)
    retire.set()
    first.join(10)
    assert leads["second"].wait(15)
    second.join(10)
    lease = client.CoordinationV1Api(api).read_namespaced_lease("leader", space)
    assert (lease.spec.holder_identity, first.is_alive(), second.is_alive()) == ("second", False, False)


@pytest.fixture
def pod(api: ApiClient, space: str) -> str:
    """The name of a pod that is ready."""
    core, following = CoreV1Api(api), watch.Watch()
    core.create_namespaced_pod(space, manifests.pod("p"))
    for change in following.stream(core.list_namespaced_pod, space, timeout_seconds=30):
        conditions = change["object"].status.conditions or []
        if any(c.type == "Ready" and c.status == "True" for c in conditions):
            following.stop()
    return "p"


def test_a_command_gets_input_and_gives_output_and_exit_code(api: ApiClient, space: str, pod: str) -> None:
    command = ["sh", "-c", "read line; echo got $line; echo trouble >&2; exit 7"]
    words: dict[str, Any] = {"container": "shell", "stdin": True, "stdout": True, "stderr": True}
    connect = CoreV1Api(api).connect_get_namespaced_pod_exec
    running = stream.stream(connect, pod, space, command=command, **words, _preload_content=False)
    running.write_stdin("this\n")
    running.run_forever(timeout=10)
    ended = (running.is_open(), running.read_stdout(), running.read_stderr(), running.returncode)
    running.sock.shutdown()  # `close` leaves the socket open when the server has closed first
    assert ended == (False, "got this\n", "trouble\n", 7)


def test_a_port_of_a_pod_is_reached(api: ApiClient, space: str, pod: str) -> None:
    forward = stream.portforward(
        CoreV1Api(api).connect_get_namespaced_pod_portforward, pod, space, ports="8080"
    )
    with closing(forward), closing(forward.socket(8080)) as socket:
        socket.setblocking(True)
        socket.sendall(b"GET /through HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: socket.recv(65536), b""))
    forward.websocket.shutdown()
    assert (b'"/through"' in answer, forward.error(8080)) == (True, None)


def test_logs_are_read_and_followed(api: ApiClient, space: str, pod: str) -> None:
    core = CoreV1Api(api)
    assert core.read_namespaced_pod_log(pod, space, container="shell", tail_lines=1) == "started\n"
    lines = watch.Watch()
    for line in lines.stream(core.read_namespaced_pod_log, pod, space, container="shell"):
        assert line == "started"
        lines.stop()
    with pytest.raises(ApiException) as found:
        core.read_namespaced_pod_log(pod, space)
    assert refusal(found) == (400, "BadRequest")  # two containers, none named
