"""From releases and settings to command lines, and from what programs say to findings and remedies. Pure."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

from lab.base.errors import CommandError, LabError
from lab.kube.objects import Object
from lab.mesh.linkerd import checks, plan, programs, release
from lab.mesh.linkerd.acts import Act, Place, Render
from lab.mesh.linkerd.explain import explained
from lab.mesh.linkerd.plan import Found
from lab.mesh.linkerd.programs import Program, Settings
from lab.mesh.linkerd.rollout import is_available, why_not_ready
from lab.mesh.protocol import LinkSpec, Mode

HERE = Path(__file__).parent
GOLDEN = HERE / "commands.txt"
LATEST, OLD = (release.parse(release.PINNED[version]) for version in ("latest", "2.14"))
WEST, EAST = (
    Place(name, Path("/lab/kubeconfig"), f"lab-{name}", Path("/lab/pki"), f"https://172.28.0.{index}0:6443")
    for index, name in enumerate(("west", "east"), 1)
)
ALL: frozenset[Mode] = frozenset({"gateway", "flat", "federated"})
FULL = LinkSpec(ALL, ("team",), ("note",), headless=True, creates_namespaces=True)
BARE = LinkSpec(frozenset({"flat"}))


def stand_in(of: str) -> ModuleType:
    """The stand-in's module, speaking for one release."""
    spec = importlib.util.spec_from_file_location("stand_in", HERE / "stand_in.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    before, sys.argv = sys.argv, ["linkerd", of]
    try:
        spec.loader.exec_module(module)
    finally:
        sys.argv = before
    return module


def every_call(program: Program) -> list[tuple[str, ...]]:
    """All that a program may be called with."""
    acts: list[Act] = []
    for spec, has_gateway in product((FULL, BARE), (True, False)):
        for found in (Found(), Found(begun=True), Found(True, "any"), Found(True, "any", True, True)):
            acts += plan.install(program, WEST, Settings(has_gateway, (("east", spec),)), found)
        acts += plan.link(program, WEST, EAST, spec)
    return [act.argv for act in acts if isinstance(act, Render)] + [programs.check(program, WEST, 5)]


@pytest.mark.parametrize("of", [LATEST, OLD], ids=str)
def test_every_command_and_flag_is_in_the_reference_of_its_release(of: release.Release) -> None:
    parse: Callable[[list[str]], object] = stand_in(of.name).parse
    calls = every_call(Program("linkerd", "linkerd", of))
    assert len({call[3:] for call in calls}) > 10
    for call in calls:
        parse(list(call[1:]))


@pytest.mark.parametrize("words", [["install", "--no-such-flag"], ["multicluster", "link"], ["instal"]])
def test_the_stand_in_refuses_what_the_reference_lacks(words: list[str]) -> None:
    module = stand_in(LATEST.name)
    with pytest.raises(module.Refused, match="unknown"):
        module.parse(words)


def test_the_commands_are_those_of_the_golden_file() -> None:
    text = ""
    for kind, of in (("linkerd", LATEST), ("linkerd", OLD), ("helm", LATEST)):
        program = Program("helm" if kind == "helm" else "linkerd", kind, of)
        text += f"\n## {kind} {of}: install, link, upgrade with a good issuer, unlink\n"
        settings = Settings(True, (("east", LinkSpec(ALL)),))
        acts = [
            *plan.install(program, WEST, settings, Found()),
            *plan.link(program, WEST, EAST, LinkSpec(ALL)),
            *plan.install(program, WEST, settings, Found(True, "another", True, True)),
            *plan.unlink(WEST, "east"),
        ]
        text += "".join(f"{act.line}\n" for act in acts).replace(str(HERE.parent.parent.parent), "")
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("said", "name", "managed"),
    [
        ("edge-26.8.3\n", "edge-26.8.3", True),
        ("edge-25.4.4", "edge-25.4.4", True),
        ("edge-25.4.3", "edge-25.4.3", False),
        ("stable-2.14.10\n", "stable-2.14.10", False),
        ("enterprise-2.18.1", "enterprise-2.18.1", True),
    ],
)
def test_a_release_says_how_links_are_made(said: str, name: str, managed: bool) -> None:
    assert release.parse(said) == release.Release(name, managed)


def test_words_that_are_no_release_are_refused_with_what_to_do() -> None:
    with pytest.raises(LabError, match="dev-1234") as caught:
        release.parse("dev-1234")
    assert "lab tools" in caught.value.remedy


def test_a_topology_version_takes_the_releases_that_it_means() -> None:
    assert LATEST.is_wanted("latest")
    assert OLD.is_wanted("2.14")
    assert not OLD.is_wanted("latest")
    assert not LATEST.is_wanted("2.14")


def test_charts_of_an_edge_release_are_numbered_as_it_is() -> None:
    assert release.charts(release.parse("edge-26.9.1")).control_plane == "2026.9.1"
    assert release.charts(OLD).multicluster == "30.11.11"
    with pytest.raises(LabError, match=r"stable-2.13.7"):
        release.charts(release.parse("stable-2.13.7"))


def test_the_documents_of_a_check_are_read_one_after_the_other() -> None:
    core = {"success": True, "categories": [{"categoryName": "kubernetes-api", "checks": [
        {"description": "can query the Kubernetes API", "result": "success"}]}]}  # fmt: skip
    mirror = {"success": False, "categories": [{"categoryName": "linkerd-multicluster", "checks": [
        {"description": "clusters share trust anchors", "hint": "https://linkerd.io/2/checks/#anchors",
         "error": "Problematic clusters:\n    * east", "result": "error"}]}]}  # fmt: skip
    found = checks.findings(f"{json.dumps(core, indent=2)}\n{json.dumps(mirror, indent=2)}\n", "west")
    assert [one.ok for one in found] == [True, False]
    assert found[1].check == "linkerd-multicluster: clusters share trust anchors"
    assert found[1].seen == "Problematic clusters: * east"
    assert found[1].remedy == "see https://linkerd.io/2/checks/#anchors"


@pytest.mark.parametrize("text", ["", "Error: no configuration", '{"success": true}'])
def test_a_check_that_prints_no_checks_is_an_error_that_quotes_it(text: str) -> None:
    with pytest.raises(LabError, match="in west did not answer") as caught:
        checks.findings(text, "west")
    assert text[:20] in str(caught.value)


PULL = {"name": "proxy", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
WAITS = {"name": "it", "state": {"waiting": {"reason": "ContainerCreating"}}}
UNFIT = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"containerStatuses": [PULL]}, "pod p, container proxy: ImagePullBackOff: no such image"),
        ({"containerStatuses": [WAITS], "conditions": UNFIT}, "pod p: 0/1 nodes are available"),
        ({"phase": "Pending"}, "pod p: Pending"),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, ""),
    ],
)
def test_a_rollout_that_hangs_says_what_keeps_each_pod(status: Object, said: str) -> None:
    assert why_not_ready({"metadata": {"name": "p"}, "status": status}) == said


@pytest.mark.parametrize(
    ("status", "available"),
    [
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, True),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}, False),
        ({}, False),
    ],
)
def test_a_deployment_is_available_once_only_pods_of_its_newest_revision_are_left(
    status: Object, available: bool
) -> None:
    assert (
        is_available({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status}) == available
    )


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("Gateway linkerd-gateway.linkerd-multicluster has no ingress addresses", "load balancer"),
        ("Error: unknown flag: --gateway", "`lab tools`"),
        ("The Gateway API CRDs must be installed prior to installing Linkerd.", "manifests/gateway-api"),
        ("something else", "by hand"),
    ],
)
def test_a_failure_is_told_with_its_whole_line_and_what_helps(words: str, remedy: str) -> None:
    error = explained(CommandError(("linkerd", "x"), 1, words), "linkerd x | kubectl apply")
    assert "linkerd x | kubectl apply" in str(error)
    assert words in str(error)
    assert remedy in error.remedy
