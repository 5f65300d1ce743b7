"""What is read from the pods of load generators."""

from lab.scenarios.calls import started


def test_a_load_generator_runs_since_its_last_container_was_started():
    running = [{"state": {"running": {"startedAt": f"1970-01-01T00:0{minute}:00Z"}}} for minute in (1, 3)]
    waiting = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    assert started({"status": {"containerStatuses": [*running, waiting]}}) == 180
    assert started({"status": {}}) == 0
