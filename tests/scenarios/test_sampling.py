"""What probes make of the answers they get."""

import pytest

from lab.scenarios.sampling import condition, listed, total
from lab.topology.probes import Metric

TEXT = """
# TYPE calls_total counter
calls_total{to="east",code="200"} 3
calls_total{to="east",code="503"} 1
calls_total{to="west",code="200"} 5
"""


@pytest.mark.parametrize(
    ("labels", "sum_"), [({}, 9.0), ({"to": "east"}, 4.0), ({"code": "5*"}, 1.0), ({"to": "x"}, None)]
)
def test_a_metric_is_the_sum_of_the_series_that_fit(labels, sum_):
    found = total(TEXT, Metric(cluster="w", namespace="n", pods="a=b", name="calls_total", labels=labels))
    assert (found, type(found)) == (sum_, type(sum_))


def test_a_condition_of_a_route_is_that_of_its_parents():
    parents = [{"conditions": [{"type": "Accepted", "status": one}]} for one in ("True", "False")]
    assert condition({"status": {"parents": parents[:1]}}, "Accepted") == "True"
    assert condition({"status": {"parents": parents}}, "Accepted") == "False,True"
    assert condition({}, "Accepted") == "Unknown"


@pytest.mark.parametrize(
    ("values", "seen"),
    [([2], 2.0), ([True], "true"), (["a", 1], "a,1"), ([], "none"), ([{"a": 1}], '{"a": 1}')],
)
def test_json_values_become_one(values, seen):
    assert listed(values) == seen
