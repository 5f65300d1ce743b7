"""Rollouts: what a Deployment writes next, given its ReplicaSets."""

from typing import Any

import pytest

from lab.pocket.controllers.progress import deployment_status
from lab.pocket.controllers.rollout import plan
from lab.pocket.controllers.sizes import surge
from lab.pocket.controllers.templates import template_hash
from lab.pocket.controllers.templating import replica_set

Object = dict[str, Any]


def deployment(replicas: int = 4, image: str = "new", **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "metadata": {"name": "a", "namespace": "ns", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "a"}},
            "template": template,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            **spec,
        },
    }


def existing(image: str, wanted: int, available: int | None = None, revision: int = 1) -> Object:
    made = replica_set(deployment(image=image), [], wanted)
    made["metadata"] |= {"name": image, "uid": image, "creationTimestamp": f"2026-01-0{revision}T00:00:00Z"}
    made["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    count = wanted if available is None else available
    made["status"] = {"replicas": wanted, "readyReplicas": count, "availableReplicas": count}
    return made


@pytest.mark.parametrize(
    ("replica_sets", "scale"),
    [
        pytest.param([existing("new", 4)], {}, id="complete"),
        pytest.param([existing("new", 6)], {"new": 4}, id="scaled down"),
        pytest.param([existing("new", 2)], {"new": 4}, id="scaled up"),
        pytest.param([existing("old", 4), existing("new", 0, revision=2)], {"new": 1}, id="surge first"),
        pytest.param(
            [existing("old", 4), existing("new", 1, 0, revision=2)],
            {"old": 3},
            id="then one old may be missing",
        ),
        pytest.param(
            [existing("old", 3), existing("new", 1, 0, revision=2)],
            {"new": 2},
            id="its place goes to a new one",
        ),
        pytest.param([existing("old", 3), existing("new", 2, 0, revision=2)], {}, id="wait for new pods"),
        pytest.param(
            [existing("old", 3), existing("new", 2, 2, revision=2)],
            {"old": 1},
            id="go on when they are available",
        ),
        pytest.param(
            [existing("old", 4, 0), existing("new", 1, 0, revision=2)],
            {"old": 3},
            id="unhealthy old ones go first",
        ),
        pytest.param([existing("old", 0), existing("new", 4, revision=2)], {}, id="rolled out"),
    ],
)
def test_rolling_update(replica_sets: list[Object], scale: dict[str, int]) -> None:
    assert dict(plan(deployment(), replica_sets).scale) == scale


def test_first_replica_set_gets_all_replicas_at_once() -> None:
    made = plan(deployment(), []).create
    assert made is not None
    assert made["spec"]["replicas"] == 4
    assert made["metadata"]["name"] == f"a-{made['metadata']['labels']['pod-template-hash']}"


def test_new_template_takes_the_next_revision() -> None:
    made = plan(deployment(), [existing("old", 4, revision=3)]).create
    assert made is not None
    assert made["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"


def test_recreate_waits_until_no_old_pod_is_left() -> None:
    recreate = deployment(strategy={"type": "Recreate"})
    first = plan(recreate, [existing("old", 4)])
    then = plan(recreate, [existing("old", 0)])
    assert (dict(first.scale), first.create) == ({"old": 0}, None)
    assert then.create is not None


def test_paused_deployment_does_not_roll_out() -> None:
    found = plan(deployment(paused=True), [existing("old", 4)])
    assert (found.create, dict(found.scale)) == (None, {})


def sized(image: str, wanted: int, total: int, **more: Any) -> Object:
    """A ReplicaSet that was last scaled when the Deployment wanted `total`, with one to surge."""
    found = existing(image, wanted, **more)
    notes = {"desired-replicas": str(total), "max-replicas": str(total + 1)}
    found["metadata"]["annotations"] |= {f"deployment.kubernetes.io/{k}": v for k, v in notes.items()}
    return found


@pytest.mark.parametrize(
    ("own", "replica_sets", "scale"),
    [
        pytest.param(
            deployment(10),
            [sized("old", 4, 5), sized("new", 2, 5, revision=2)],
            {"old": 7, "new": 4},
            id="up in the middle of a rollout",
        ),
        pytest.param(
            deployment(0),
            [sized("old", 4, 5), sized("new", 2, 5, revision=2)],
            {"old": 0, "new": 0},
            id="to none",
        ),
        pytest.param(deployment(6), [sized("new", 4, 4)], {"new": 6}, id="one alone"),
        pytest.param(
            deployment(6, paused=True), [sized("old", 4, 4)], {"old": 6}, id="a paused one scales, too"
        ),
        pytest.param(deployment(paused=True), [], {}, id="a paused one makes nothing"),
    ],
)
def test_scaling_is_shared_out(own: Object, replica_sets: list[Object], scale: dict[str, int]) -> None:
    assert dict(plan(own, replica_sets).scale) == scale


def test_recreate_waits_for_pods_on_their_way_out() -> None:
    recreate = deployment(strategy={"type": "Recreate"})
    old = existing("old", 0)
    pod = {
        "metadata": {"ownerReferences": [{"uid": "old", "controller": True}], "deletionTimestamp": "x"},
        "status": {"phase": "Running"},
    }
    assert plan(recreate, [old], [pod]).create is None


def test_notes_of_the_deployment_reach_its_replica_set() -> None:
    own = deployment()
    own["metadata"]["annotations"] = {"kubernetes.io/change-cause": "a reason"}
    found = plan(own, [existing("new", 4)]).revise["new"]
    assert found == {"metadata": {"annotations": {"kubernetes.io/change-cause": "a reason"}}}


def test_rollback_gives_the_old_replica_set_a_new_revision() -> None:
    found = plan(deployment(image="old"), [existing("old", 4, revision=1), existing("new", 0, revision=2)])
    notes = found.revise["old"]["metadata"]["annotations"]
    assert notes["deployment.kubernetes.io/revision"] == "3"
    assert notes["deployment.kubernetes.io/revision-history"] == "1"


def test_history_keeps_no_more_than_the_limit() -> None:
    old = [existing(f"v{n}", 0, revision=n) for n in (1, 2, 3)]
    found = plan(deployment(revisionHistoryLimit=1), [*old, existing("new", 4, revision=4)])
    assert found.delete == ("v1", "v2")


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        pytest.param({}, (1, 1), id="defaults are quarters, up and down"),
        pytest.param({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, (0, 1), id="never both zero"),
        pytest.param({"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}, (2, 0), id="percent"),
    ],
)
def test_surge(strategy: Object, wanted: tuple[int, int]) -> None:
    assert surge(deployment(strategy=strategy)) == wanted


def test_template_hash_is_of_upstreams_alphabet() -> None:
    word = template_hash(deployment()["spec"]["template"])
    assert 5 <= len(word) <= 10
    assert set(word) <= set("bcdfghjklmnpqrstvwxz2456789")


@pytest.mark.parametrize(
    ("replica_sets", "reason"),
    [
        pytest.param([existing("new", 4)], "NewReplicaSetAvailable", id="complete"),
        pytest.param([existing("new", 4, 1)], "ReplicaSetUpdated", id="under way"),
    ],
)
def test_progress_reason(replica_sets: list[Object], reason: str) -> None:
    found = deployment_status(deployment(), replica_sets, 0.0)
    assert next(c["reason"] for c in found["conditions"] if c["type"] == "Progressing") == reason


@pytest.mark.parametrize(
    ("paused", "reason"),
    [
        pytest.param(True, "DeploymentPaused", id="paused"),
        pytest.param(False, "DeploymentResumed", id="resumed"),
    ],
)
def test_pause_shows_in_progress(paused: bool, reason: str) -> None:
    seen = {"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused"}
    own = deployment(paused=paused) | {"status": {"conditions": [seen]}}
    found = deployment_status(own, [existing("new", 4, 1)], 0.0)
    assert found["conditions"][1]["reason"] == reason


def test_failure_to_make_pods_shows_on_the_deployment() -> None:
    replica_set = existing("new", 0)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no room"}
    replica_set["status"]["conditions"] = [failure]
    shown = deployment_status(deployment(), [replica_set], 0.0)["conditions"][2]
    assert (shown["reason"], shown["message"]) == ("FailedCreate", "no room")


def test_rollout_without_progress_past_its_deadline_has_failed() -> None:
    since = {
        "type": "Progressing",
        "status": "True",
        "reason": "ReplicaSetUpdated",
        "lastUpdateTime": "1970-01-01T00:00:00Z",
    }
    stuck = deployment() | {"status": {"observedGeneration": 1, "updatedReplicas": 4, "conditions": [since]}}
    found = deployment_status(stuck, [existing("new", 4, 0)], 601.0)
    assert found["conditions"][1]["reason"] == "ProgressDeadlineExceeded"
