"""`status --json` keeps its contract: the JSON form validates against the schema that ships."""

import json
import subprocess
import sys

import jsonschema
import pytest

from lab.observe.build import build
from lab.observe.facts import KubeFacts, WantedLink
from lab.observe.schema import status_schema
from lab.observe.state import Fault, LabState


@pytest.fixture
def full(observation, west, make) -> LabState:
    """A state with something in every list."""
    event = {
        "involvedObject": {"kind": "Pod", "name": "p"},
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "message": "m",
    }
    fault = Fault(
        "pause-1", "pause", "east", "applying", since=1.0, clusters=("east",), parameters={"ttl": 30}
    )
    return build(
        observation(
            kube={"west": west(events=(event,)), "east": KubeFacts(error="no answer")},
            faults=(fault,),
            links=(WantedLink("west", "east", ("flat",), {"delay": "20ms"}),),
        )
    )


def test_the_json_of_a_full_state_validates(full):
    jsonschema.Draft202012Validator.check_schema(status_schema())
    jsonschema.validate(json.loads(json.dumps(full.to_json())), status_schema())
    assert all(
        full.to_json()[part] for part in ("clusters", "links", "services", "faults", "problems", "events")
    )


def test_names_in_the_json_are_camel_case_and_from_has_no_underscore(full):
    link = full.to_json()["links"][0]
    assert {"from", "to", "latencyMs", "gatewayAlive"} <= link.keys()


def test_cluster_names_are_never_rewritten(observation, west, make):
    traffic = (make.stats(answeredBy={"us_east_1": 1.0}),)
    state = build(observation(kube={"west": west(traffic=traffic)}))
    assert state.to_json()["services"][0]["answeredBy"] == {"us_east_1": 1.0}


def test_observing_works_without_the_screen_library():
    names = "build facts gather golden links clusters metrics readings schema scrape state table verdict"
    modules = ", ".join(f"lab.observe.{name}" for name in names.split())
    code = f"import sys, {modules}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
