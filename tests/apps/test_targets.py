"""Reading the set of targets."""

import pytest

from lab.apps.loadgen.targets import from_flag, parse
from lab.base.errors import UsageError


def test_a_target_is_read_with_its_defaults():
    (target,) = parse('{"targets": {"front": {"url": "http://front.shop", "rate": 20}}}')
    assert (target.name, target.url, target.rate, target.timeout, target.method) == (
        "front",
        "http://front.shop",
        20.0,
        5.0,
        "GET",
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"targets": {"a": 1}}', "targets.a is 1"),
        ('{"targets": {"a": {"url": "ftp://x"}}}', "targets.a.url is 'ftp://x'"),
        ('{"targets": {"a": {"url": "grpc://x"}}}', "grpc://host:port"),
        ('{"targets": {"a": {"url": "http://x", "rate": 0}}}', "targets.a.rate is 0"),
        ('{"targets": {"a": {"url": "http://x", "rate": true}}}', "targets.a.rate is True"),
        ('{"targets": {"a": {"url": "http://x", "rat": 5}}}', "targets.a.rat is unknown"),
    ],
    ids=["broken", "list", "number", "scheme", "no-port", "zero-rate", "bool-rate", "typo"],
)
def test_a_wrong_set_is_refused_with_the_path_and_what_is_allowed(text, complaint):
    with pytest.raises(UsageError, match="target") as refusal:
        parse(text)
    assert complaint in str(refusal.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(UsageError) as refusal:
        parse('{"targets": {"a": {"url": "x"}, "b": {"url": "http://x", "rate": -1}}}')
    assert "targets.a.url" in str(refusal.value)
    assert "targets.b.rate" in str(refusal.value)


def test_a_flag_without_a_name_is_refused():
    with pytest.raises(UsageError, match="NAME=URL"):
        from_flag("http://front.shop", 10, 5)
