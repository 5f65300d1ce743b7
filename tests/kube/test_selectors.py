"""Selectors follow the API's grammar and its meaning of missing keys."""

import pytest

from lab.kube.selectors import NOTHING, SelectorError, field_selector, from_label_selector, label_selector

LABELS = {"app": "front", "tier": "web"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", True, id="nothing asked"),
        pytest.param("app=front", True, id="equal"),
        pytest.param("app==front,tier=web", True, id="double equal and a second term"),
        pytest.param("app!=front", False, id="not equal"),
        pytest.param("missing!=x", True, id="a missing key is not equal"),
        pytest.param("app in (front, back)", True, id="in"),
        pytest.param("app in (back)", False, id="not in the set"),
        pytest.param("app notin (back),tier", True, id="notin and exists"),
        pytest.param("missing notin (x)", True, id="a missing key is not in a set"),
        pytest.param("!missing", True, id="does not exist"),
        pytest.param("!app", False, id="exists after all"),
        pytest.param("app=", False, id="empty value"),
    ],
)
def test_a_label_selector_matches_as_the_api_says(text: str, expected: bool) -> None:
    assert label_selector(text).matches(LABELS) is expected


@pytest.mark.parametrize("text", ["a=b=c", "a in b", "in (x)", "a,,(b", "a b"])
def test_a_wrong_selector_is_refused_with_the_part_that_is_wrong(text: str) -> None:
    with pytest.raises(SelectorError):
        label_selector(text)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(None, False, id="no selector selects nothing"),
        pytest.param({}, True, id="an empty selector selects everything"),
        pytest.param({"matchLabels": {"app": "front"}}, True, id="labels"),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True, id="exists"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["front"]}]},
            False,
            id="notin",
        ),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False, id="absent"),
    ],
)
def test_a_label_selector_object_matches_as_the_api_says(
    selector: dict[str, object] | None, expected: bool
) -> None:
    assert from_label_selector(selector).matches(LABELS) is expected


def test_nothing_matches_the_selector_of_a_missing_selector() -> None:
    assert not NOTHING.matches({"": ""})
    assert not NOTHING.matches({})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=x", True),
        ("metadata.name!=x", False),
        ("spec.nodeName=", True),
        ("status.phase=Running,metadata.name==x", True),
        ("spec.suspend=true", True),
    ],
)
def test_a_field_selector_reads_dotted_paths(text: str, expected: bool) -> None:
    obj = {"metadata": {"name": "x"}, "status": {"phase": "Running"}, "spec": {"suspend": True}}
    assert field_selector(text).matches(obj) is expected


def test_a_field_selector_without_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match="metadata"):
        field_selector("metadata.name")
