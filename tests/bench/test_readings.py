"""What the bench makes of what it reads: the load tool's words, the prober's log, a lab's state."""

import json
import os
import socket
from pathlib import Path

import pytest

from lab.base.errors import CheckFailed
from lab.ops.bench import chain, processes, wrk
from lab.ops.bench.dataplane import Sides, cpu_per_request
from lab.ops.bench.lifecycle import remote_answers
from lab.ops.bench.propagation import Answer, Change, delay, parse

CLEAN = """Running 1s test @ http://flat-east.bench
  Latency Distribution
     50%  604.00us
     99%    3.26ms
  1587 requests in 1.10s, 381.25KB read
Requests/sec:   1443.14
"""


def test_wrk_output_becomes_milliseconds_and_a_rate() -> None:
    assert wrk.parse(CLEAN) == wrk.Load(p50=0.604, rate=1443.14)


@pytest.mark.parametrize(
    "trouble",
    ["Non-2xx or 3xx responses: 7", "Socket errors: connect 1, read 0, write 0, timeout 0"],
)
def test_a_run_with_failed_requests_is_no_measurement(trouble: str) -> None:
    with pytest.raises(CheckFailed, match=trouble.split(":")[0]):
        wrk.parse(f"{CLEAN}  {trouble}\n")


def test_a_run_without_output_is_no_measurement() -> None:
    with pytest.raises(CheckFailed, match="no output"):
        wrk.parse("")


def test_a_line_cut_off_in_the_log_is_left_out() -> None:
    assert parse("1.5 steady\n1.6 moving-0\n1.7") == [Answer(1.5, "steady"), Answer(1.6, "moving-0")]


def test_ready_counts_to_the_first_answer_of_the_new_pod() -> None:
    answers = [Answer(1.0, "steady"), Answer(1.3, "new"), Answer(1.4, "new")]
    assert delay(Change("new", True, 1.1), answers) == pytest.approx(0.2)


def test_gone_counts_to_the_last_answer_of_the_old_pod() -> None:
    answers = [Answer(1.0, "old"), Answer(1.2, "old"), Answer(1.4, "steady")]
    assert delay(Change("old", False, 1.1), answers) == pytest.approx(0.1)


def test_a_proxy_that_acted_before_we_saw_the_change_has_no_delay() -> None:
    assert delay(Change("old", False, 2.0), [Answer(1.9, "old")]) == 0.0


def test_a_pod_that_never_answered_is_an_error_and_no_figure() -> None:
    with pytest.raises(CheckFailed, match="never answered"):
        delay(Change("new", True, 1.0), [Answer(1.1, "steady")])


def test_only_an_answer_by_another_cluster_counts_as_remote() -> None:
    local = {"cluster": "west", "success": 1.0, "answeredBy": {"west": 1.0}}
    remote = {"cluster": "west", "success": 1.0, "answeredBy": {"west": 0.5, "east": 0.5}}
    assert not remote_answers({"services": [local]})
    assert remote_answers({"services": [local, remote]})


def test_processor_time_is_compared_per_request_and_by_pod() -> None:
    before = {"a/linkerd-proxy/0": 1.0, "s/envoy/0": 1.0, "other/app/0": 0.0}
    after = {"a/linkerd-proxy/0": 3.0, "s/envoy/0": 2.0, "other/app/0": 9.0}
    sides = Sides(frozenset({"a"}), frozenset({"s"}))
    assert cpu_per_request(before, after, sides, [(200.0, 100.0)]) == pytest.approx(1.0)


def test_the_chain_asks_for_a_client_certificate_on_every_hop() -> None:
    upstream = chain.Upstream("10.0.0.1", 8080, "peer")
    for config in (chain.server_sidecar(), chain.gateway({"peer": upstream})):
        assert '"require_client_certificate": true' in json.dumps(config)


def test_a_listener_of_this_process_is_seen_and_gone_after_its_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = processes.Footprint((), frozenset(), frozenset({port}), str(tmp_path))
        assert found.left()["listeners"] == 1
    assert found.left()["listeners"] == 0


def test_this_process_has_memory_and_processor_time() -> None:
    assert processes.pss([os.getpid()]) > 1_000_000
    assert processes.cpu_seconds([os.getpid()]) > 0


def test_a_namespace_counts_as_left_only_while_an_older_process_lives_in_it(tmp_path: Path) -> None:
    here = frozenset({processes.namespace(os.getpid(), "net")})
    kept = processes.Footprint((), here, frozenset(), str(tmp_path))
    recycled = processes.Footprint((), here, frozenset(), str(tmp_path), taken=0)
    assert (kept.left()["namespaces"], recycled.left()["namespaces"]) == (1, 0)
