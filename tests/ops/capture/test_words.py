"""The words of `lab capture`, and at which ports a pod speaks in clear."""

import pytest

from lab.base.errors import UsageError
from lab.ops.capture.capture import Limits, filtered, limits
from lab.ops.capture.place import app_ports


def test_limits_are_read_from_the_command_line() -> None:
    assert limits("1.5s", 10, 0) == Limits(1.5, 10, 0)
    assert limits("", 0, 100) == Limits()


@pytest.mark.parametrize(("words", "said"), [(("soon", 0, 1), '--for "soon"'), (("", -1, 1), "--count")])
def test_limits_that_are_none_are_refused(words: tuple[str, int, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        limits(*words)


@pytest.mark.parametrize(("port", "address"), [(65536, ""), (-1, ""), (80, "front"), (80, "10.20.0.0/16")])
def test_a_filter_that_is_none_is_refused(port: int, address: str) -> None:
    with pytest.raises(UsageError, match=r"--port|--address"):
        filtered(port, address)


def test_apps_speak_in_clear_at_their_own_ports_and_at_the_proxys_for_what_they_send() -> None:
    containers = [
        {"name": "app", "ports": [{"containerPort": 8080}, {"containerPort": 9000}]},
        {"name": "quiet"},
        {"name": "linkerd-proxy", "ports": [{"containerPort": 4143}]},
    ]
    assert app_ports({"spec": {"containers": containers}}) == {8080, 9000, 4140}
