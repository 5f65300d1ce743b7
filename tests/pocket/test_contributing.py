"""CONTRIBUTING.md says what the API server serves; here the page is held to the code and to a server."""

import re
from pathlib import Path
from typing import Any

import pytest

from lab.pocket.apiserver.openapi.paths import of
from lab.pocket.apiserver.resources.builtin import table

from .conftest import Http, config_map, pod

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "CONTRIBUTING.md").read_text()
SECTION = PAGE.partition("## What the API server serves")[2].partition("\n## ")[0]
ELSEWHERE = ("gracePeriodSeconds", "orphanDependents", "propagationPolicy", "preconditions")  # DeleteOptions


def rows(head: str) -> list[list[str]]:
    """The cells of the section's table that begins with `head`."""
    lines = SECTION.partition(f"| {head} |")[2].splitlines()[2:]
    end = next(i for i, line in enumerate([*lines, ""]) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def words(text: str) -> set[str]:
    return {word.strip(" `") for word in text.split(",")}


def test_the_kinds_acted_on_are_those_of_the_table() -> None:
    served: dict[str, set[str]] = {}
    for row in table():
        if not row.idle:
            served.setdefault(row.api_version, set()).add(row.kind)
    assert {api.strip("`"): words(kinds) for api, kinds in rows("API")} == served


def test_the_stored_kinds_and_what_does_not_follow_are_those_of_the_table() -> None:
    told = set()
    for kind, idle in rows("kind"):
        name, _, versions = kind.partition(" ")
        told |= {(name, version, idle) for version in words(versions)}
    assert told == {(row.kind, row.api_version, row.idle) for row in table() if row.idle}


def test_the_verbs_are_those_of_the_table() -> None:
    lacking = {row.kind for row in table() if "deletecollection" not in row.verbs and "get" in row.verbs}
    reviews = {row.kind for row in table() if "get" not in row.verbs}
    assert lacking == {"Namespace"}
    assert all(kind.endswith("Review") for kind in reviews)


def test_the_subresources_are_those_of_the_table() -> None:
    served: dict[str, set[str]] = {}
    for row in table():
        for name in row.subresources:
            served.setdefault(name, set()).add(row.plural)
    told = {name.strip("`"): words(plurals) for name, plurals in rows("subresource")}
    refused = {"ephemeralcontainers", "resize"}
    assert {name: of for name, of in served.items() if name not in {"status", *refused}} == told


def test_the_options_are_those_that_the_openapi_documents_name() -> None:
    told = set().union(*(words(options) for options, _, _ in rows("option")))
    row = next(row for row in table() if row.kind == "ConfigMap")
    documented = {
        parameter["name"]
        for item in of(row, "V1ConfigMap").values()
        for operation in item.values()
        for parameter in operation["parameters"]
    }
    assert told == documented | set(ELSEWHERE)


def test_every_option_is_tested_where_the_page_says() -> None:
    missing = [
        (option, file)
        for options, _, file in rows("option")
        for option in words(options)
        if option not in (HERE / file).read_text()
    ]
    assert missing == []


def test_every_test_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"test_\w+\.py", SECTION))
    assert {name for name in named if not (HERE / name).exists()} == set()


BOUND = {"spec": {"boundObjectRef": {"kind": "Secret", "name": "x"}}}
Request = tuple[str, str, Any, dict[str, str]]
REFUSED: dict[str, Request] = {
    "`kubectl debug POD` (pods/ephemeralcontainers)": ("PATCH", "{space}/pods/p/ephemeralcontainers", {}, {}),
    "pods/resize": ("PATCH", "{space}/pods/p/resize", {}, {}),
    "`kubectl top` (metrics.k8s.io)": ("GET", "/apis/metrics.k8s.io/v1beta1/nodes", None, {}),
    "a body in CBOR": ("POST", "{space}/configmaps", b"x", {"Content-Type": "application/cbor"}),
    "a list in protobuf only": (
        "GET", "{space}/pods", None, {"Accept": "application/vnd.kubernetes.protobuf"},
    ),
    "a token bound to a Secret or Node": ("POST", "{space}/serviceaccounts/default/token", BOUND, {}),
}  # fmt: skip


def test_every_refusal_of_the_page_is_tried_here() -> None:
    assert {request for request, _, _ in rows("request")} == REFUSED.keys()


@pytest.mark.parametrize(("request_", "code", "message"), [tuple(row) for row in rows("request")])
async def test_a_refusal_reads_as_the_page_says(
    http: Http, space: str, request_: str, code: str, message: str
) -> None:
    await http.post(f"{space}/pods", pod("p"))
    await http.post(f"{space}/configmaps", config_map("a"))
    method, path, body, headers = REFUSED[request_]
    reply = await http(method, path.format(space=space), body, headers=headers)
    assert (str(reply.code), message in reply.body["message"]) == (code, True), reply.body
