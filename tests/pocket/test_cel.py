"""CEL expressions: Kubernetes' functions, and what is refused with which words."""

from typing import Any

import pytest

from lab.pocket.apiserver.cel.program import BudgetExceeded, CelError, compile_expression


def evaluate(text: str, self: Any = None) -> Any:
    return compile_expression(text, (("self", "dyn"),)).evaluate({"self": self})


@pytest.mark.parametrize(
    "text",
    [
        "quantity('1Gi').add(quantity('1Mi')).isGreaterThan(quantity('1Gi'))",
        "quantity('1') == quantity('1000m') && quantity('3').asInteger() == 3",
        "isQuantity('1.5Gi') && !isQuantity('a lot')",
        "quantity('50k').compareTo(quantity('50M')) == -1",
        "url('https://me@host.example:80/a?q=1').getHost() == 'host.example:80'",
        "url('https://host/a?q=1').getQuery()['q'] == ['1']",
        "isURL('/absolute/path') && !isURL('../relative')",
        "ip('::1').isLoopback() && ip('10.0.0.1').family() == 4",
        "isIP('10.1.2.3') && !isIP('10.1.2') && !isIP('::ffff:1.2.3.4')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
        "[1, 2, 3].isSorted() && [3, 4].sum() == 7 && [3, 4].min() == 3 && [3.5, 4.5].max() == 4.5",
        "'abc'.find('b.') == 'bc' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
        "['a', 'b'].exists_one(x, x == 'a') && sets.contains(['a', 'b'], ['a'])",
        "'A,B'.lowerAscii().split(',') == ['a', 'b'] && 'x'.replace('x', 'y') == 'y'",
        "optional.none().orValue(3) == 3 && cel.bind(x, 2, x * x) == 4",
        "duration('1h') > duration('59m') && timestamp('2024-01-01T00:00:00Z').getFullYear() == 2024",
        "{'a': 1}.all(k, v, v == 1)",
    ],
)
def test_kubernetes_functions_hold(text: str) -> None:
    assert evaluate(text) is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("semver('1.2.3').major() == 1", "undeclared reference to 'semver'"),
        ("self.frobnicate()", "undeclared reference to 'frobnicate'"),
        ("'a' + 1 == 'a1'", "found no matching overload for '_+_' applied to '(string, int)'"),
        ("1 +", "Syntax error"),
    ],
)
def test_an_expression_that_does_not_compile_says_where_and_what(text: str, says: str) -> None:
    with pytest.raises(CelError, match="ERROR: <input>:1:") as refused:
        evaluate(text)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("self.missing == 1", 'no such key: "missing"'),
        ("self.a / 0 == 1", "division by zero"),
        ("self.a + 'x' == 'x'", "no such overload"),
        ("quantity('much').sign() == 1", "quantities must match"),
        ("[].min() == 1", "min called on empty list"),
    ],
)
def test_a_failing_evaluation_says_why(text: str, says: str) -> None:
    with pytest.raises(CelError, match=says):
        evaluate(text, {"a": 1})


def test_a_runaway_expression_is_stopped() -> None:
    with pytest.raises(BudgetExceeded):
        evaluate("self.all(a, self.all(b, self.all(c, self.all(d, true))))", list(range(100)))


def test_either_side_of_an_or_may_fail_when_the_other_is_true() -> None:
    assert evaluate("self.missing == 1 || true", {}) is True
