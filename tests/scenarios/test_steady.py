"""Which traffic must be well before the first step."""

from lab.ops.run import judged
from lab.topology.load import parse

LAB = """
name: x
clusters: {west: {}, east: {}}
traffic:
  - {from: west, to: "http://a.a"}
  - {from: west, to: "http://b.b"}
  - {from: east, to: "http://a.a"}
  - {from: east, to: "http://c.c"}
scenario:
  expect:
    - {traffic: west/b-b, success: "= 100%"}
    - {no_errors_in: east}
"""


def test_all_that_expectations_are_about_is_steady_first():
    assert judged(parse(LAB, "test")) == ["west/b-b", "east/a-a", "east/c-c"]
