"""A run that was recorded on a real lab: the gateway of the called cluster is lost for two seconds.

`recorded.json` has times in seconds since the run began. Of each call it has when it was sent, how many
milliseconds it took, its status, its error and the cluster that answered.
"""

import json
from pathlib import Path

from lab.apps.loadgen.records import Record
from lab.scenarios.course import Course, Event
from lab.scenarios.judge import judge
from lab.scenarios.verdict import Round, Verdict
from lab.topology.bounds import Bound
from lab.topology.measures import Expectation

BEGAN = 1_795_600_790.0
TRAFFIC = "west/echo"
EXPECTED = (
    Expectation(traffic=TRAFFIC, before="loss", success=Bound("=", 1.0)),
    Expectation(traffic=TRAFFIC, during="loss", success=Bound(">=", 0.9)),
    Expectation(traffic=TRAFFIC, answered_by=("east",)),
)
VERSIONS = {"lab": "0.1.0", "engine": "embedded", "mesh": "as Linkerd latest", "envoy": "1.40.0"}


def course() -> Course:
    known = json.loads(Path(__file__).with_name("recorded.json").read_text())
    calls = [
        Record(number, "echo", BEGAN + sent, BEGAN + sent + took / 1000, took, status, error, cluster)
        for number, (sent, took, status, error, cluster) in enumerate(known["calls"])
    ]
    events = tuple(
        Event(name, words, *(BEGAN + time for time in times)) for name, words, *times in known["events"]
    )
    return Course(BEGAN, BEGAN + known["seconds"], events, {TRAFFIC: calls})


def verdict(rounds: int = 1) -> Verdict:
    one = Round(course(), judge(EXPECTED, course()))
    title = "Calls go on while <east> & others lose a part"
    return Verdict("remote-calls", title, (one,) * rounds, None, "lab run calls.yaml --seed 7", VERSIONS)
