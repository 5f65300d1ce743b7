"""The pod state machine: what runs next, what the status shows, how long restarts wait."""

from dataclasses import replace
from typing import Any

import pytest

from lab.kube.quantity import quantity
from lab.pocket.node.lifecycle.attempts import Attempt, ContainerView, Waiting, restart_delay
from lab.pocket.node.lifecycle.qos import qos_class
from lab.pocket.node.lifecycle.status import Failure, Surroundings, pod_status
from lab.pocket.node.lifecycle.steps import Steps, next_steps

RUNS = (Attempt(0, 100.0),)
DONE = (Attempt(0, 100.0, 0, 110.0),)
BROKEN = (Attempt(0, 100.0, 1, 110.0),)
CRASHED_TWICE = (*BROKEN, Attempt(1, 110.0, 1, 120.0))


def pod(
    *, policy: str = "Always", init: tuple[str, ...] = (), sidecars: tuple[str, ...] = ()
) -> dict[str, Any]:
    steps = [{"name": name} for name in init]
    steps += [{"name": name, "restartPolicy": "Always"} for name in sidecars]
    spec = {"containers": [{"name": "app"}], "initContainers": steps, "restartPolicy": policy}
    return {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec}


def views(**attempts: tuple[Attempt, ...]) -> dict[str, ContainerView]:
    return {
        name: ContainerView(
            name, runs, started=bool(runs) and runs[-1].running, ready=bool(runs) and runs[-1].running
        )
        for name, runs in attempts.items()
    }


@pytest.mark.parametrize(
    ("spec", "state", "wanted"),
    [
        pytest.param(pod(), {"app": ()}, Steps(start=("app",)), id="a new pod starts"),
        pytest.param(pod(), {"app": RUNS}, Steps(), id="what runs is left alone"),
        pytest.param(pod(init=("i",)), {"app": (), "i": ()}, Steps(start=("i",)), id="init comes first"),
        pytest.param(pod(init=("i",)), {"app": (), "i": RUNS}, Steps(), id="the app waits for init"),
        pytest.param(pod(init=("i",)), {"app": (), "i": DONE}, Steps(start=("app",)), id="init done"),
        pytest.param(
            pod(init=("i", "j")), {"app": (), "i": DONE, "j": ()}, Steps(start=("j",)), id="init in order"
        ),
        pytest.param(
            pod(init=("i",), policy="Never"), {"app": (), "i": BROKEN}, Steps(), id="failed init, never again"
        ),
        pytest.param(
            pod(sidecars=("s",)),
            {"app": (), "s": RUNS},
            Steps(start=("app",)),
            id="a started sidecar lets on",
        ),
        pytest.param(
            pod(sidecars=("s",)), {"app": RUNS, "s": DONE}, Steps(start=("s",)), id="a sidecar always returns"
        ),
        pytest.param(
            pod(sidecars=("s",), policy="Never"),
            {"app": DONE, "s": RUNS},
            Steps(stop=("s",)),
            id="sidecars of a finished pod are stopped",
        ),
        pytest.param(pod(policy="Never"), {"app": BROKEN}, Steps(), id="never restarted"),
        pytest.param(pod(policy="OnFailure"), {"app": DONE}, Steps(), id="success is not restarted"),
        pytest.param(pod(policy="OnFailure"), {"app": BROKEN}, Steps(start=("app",)), id="failure is"),
        pytest.param(pod(), {"app": CRASHED_TWICE}, Steps(wake_at=130.0), id="second restart backs off"),
    ],
)
def test_next_steps(spec: dict[str, Any], state: dict[str, tuple[Attempt, ...]], wanted: Steps) -> None:
    assert next_steps(spec, views(**state), now=121.0) == wanted


def crashes(count: int, *, lasting: float = 1.0) -> list[Attempt]:
    """Attempts that each ran `lasting` seconds and were restarted as soon as back-off allowed."""
    attempts: list[Attempt] = []
    for number in range(count):
        began = attempts[-1].finished_at + restart_delay(attempts) if attempts else 0.0  # type: ignore[operator]
        attempts.append(Attempt(number, began, 1, began + lasting))
    return attempts


@pytest.mark.parametrize(
    ("count", "delay"), [(1, 0), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (9, 300)]
)
def test_backoff_doubles_from_ten_seconds_to_five_minutes(count: int, delay: float) -> None:
    assert restart_delay(crashes(count)) == delay


def test_a_run_of_more_than_ten_minutes_forgets_the_backoff() -> None:
    assert restart_delay(crashes(5, lasting=601.0)) == 0


PLACE = Surroundings("172.28.0.10", "10.20.0.2", 200.0)


@pytest.mark.parametrize(
    ("spec", "state", "phase"),
    [
        pytest.param(pod(), {"app": ()}, "Pending", id="nothing runs"),
        pytest.param(pod(), {"app": RUNS}, "Running", id="runs"),
        pytest.param(pod(), {"app": CRASHED_TWICE}, "Running", id="crash loop"),
        pytest.param(pod(policy="Never"), {"app": DONE}, "Succeeded", id="all ended well"),
        pytest.param(pod(policy="Never"), {"app": BROKEN}, "Failed", id="one ended badly"),
        pytest.param(pod(init=("i",)), {"app": (), "i": RUNS}, "Pending", id="init runs"),
        pytest.param(pod(init=("i",), policy="Never"), {"app": (), "i": BROKEN}, "Failed", id="init failed"),
    ],
)
def test_phase(spec: dict[str, Any], state: dict[str, tuple[Attempt, ...]], phase: str) -> None:
    assert pod_status(spec, views(**state), PLACE)["phase"] == phase


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


def test_crash_loop_shows_waiting_reason_and_the_last_end() -> None:
    [shown] = pod_status(pod(), views(app=CRASHED_TWICE), PLACE)["containerStatuses"]
    assert shown["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert shown["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=app")
    assert shown["restartCount"] == 1


def test_unready_container_is_named_in_the_ready_condition() -> None:
    state = {"app": ContainerView("app", RUNS, started=True, ready=False)}
    ready = next(c for c in pod_status(pod(), state, PLACE)["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["message"]) == ("False", "containers with unready status: [app]")


def test_unready_sidecar_makes_the_pod_unready() -> None:
    state = {**views(app=RUNS), "s": ContainerView("s", RUNS, started=True, ready=False)}
    assert conditions(pod_status(pod(sidecars=("s",)), state, PLACE))["Ready"] == "False"


def test_image_error_is_shown_as_the_waiting_reason() -> None:
    state = {"app": ContainerView("app", waiting=Waiting("ErrImageNeverPull", "map it", 0.0))}
    [shown] = pod_status(pod(), state, PLACE)["containerStatuses"]
    assert shown["state"] == {"waiting": {"reason": "ErrImageNeverPull", "message": "map it"}}


def test_transition_time_is_kept_while_a_condition_does_not_change() -> None:
    first = {**pod(), "status": pod_status(pod(), views(app=RUNS), PLACE)}
    again = pod_status(first, views(app=RUNS), Surroundings("h", "10.20.0.2", 900.0))
    assert again["conditions"] == first["status"]["conditions"]


def gated(**conditions: str) -> dict[str, Any]:
    """The Ready condition of a running pod with the gate `example.com/gate`."""
    gated = pod()
    gated["spec"]["readinessGates"] = [{"conditionType": "example.com/gate"}]
    gated["status"] = {"conditions": [{"type": k, "status": v} for k, v in conditions.items()]}
    shown = pod_status(gated, views(app=RUNS), PLACE)["conditions"]
    return next(c for c in shown if c["type"] == "Ready")


def test_a_readiness_gate_that_nobody_opened_keeps_the_pod_unready() -> None:
    shown = gated()
    assert (shown["status"], shown["reason"]) == ("False", "ReadinessGatesNotReady")
    assert shown["message"] == (
        'corresponding condition of pod readiness gate "example.com/gate" does not exist.'
    )


@pytest.mark.parametrize("status", ["True", "False"])
def test_a_readiness_gate_decides_about_a_pod_whose_containers_are_ready(status: str) -> None:
    assert gated(**{"example.com/gate": status})["status"] == status


def test_a_failed_pod_says_why_whatever_its_containers_do() -> None:
    place = replace(PLACE, failure=Failure("DeadlineExceeded", "too long"))
    shown = pod_status(pod(), views(app=RUNS), place)
    assert (shown["phase"], shown["reason"], shown["message"]) == ("Failed", "DeadlineExceeded", "too long")


@pytest.mark.parametrize(("attempts", "phase"), [(DONE, "Succeeded"), (BROKEN, "Failed"), ((), "Failed")])
def test_a_deleted_pod_ends_in_a_final_phase(attempts: tuple[Attempt, ...], phase: str) -> None:
    assert pod_status(pod(), views(app=attempts), replace(PLACE, over=True))["phase"] == phase


def test_a_crash_loop_shows_the_last_end_as_the_last_state() -> None:
    [shown] = pod_status(pod(), views(app=CRASHED_TWICE), PLACE)["containerStatuses"]
    assert shown["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert shown["lastState"]["terminated"]["containerID"].endswith("/app/1")


def test_conditions_of_others_survive() -> None:
    gate = {"type": "example.com/gate", "status": "True"}
    shown = pod_status({**pod(), "status": {"conditions": [gate]}}, views(app=RUNS), PLACE)
    assert gate in shown["conditions"]


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        pytest.param({}, "BestEffort", id="none"),
        pytest.param({"requests": {"cpu": "1"}}, "Burstable", id="requests only"),
        pytest.param({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed", id="limits stand for requests"),
        pytest.param(
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
            "Burstable",
            id="less asked",
        ),
    ],
)
def test_qos_class(resources: dict[str, Any], wanted: str) -> None:
    assert qos_class({"spec": {"containers": [{"name": "a", "resources": resources}]}}) == wanted


def test_quantities_compare_across_suffixes() -> None:
    assert quantity("0.5") == quantity("500m")
    assert quantity("1Gi") == quantity("1048576Ki") == 2**30
