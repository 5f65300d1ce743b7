"""What is looked for before somebody's cluster is touched."""

import pytest

from lab.engines.existing.guest import explained
from lab.engines.existing.rules import needs, signs
from lab.kube.errors import Forbidden, Unavailable

PLAIN = "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    ("context", "server"),
    [
        ("prod", PLAIN),
        ("eu-production-1", PLAIN),
        ("shop_live", PLAIN),
        ("x", "https://api.prod.example.com:6443"),
        ("arn:aws:eks:eu-west-1:123456789012:cluster/x", PLAIN),
        ("x", "https://0123.gr7.eu-west-1.eks.amazonaws.com"),
        ("gke_project_europe-west1_x", PLAIN),
        ("x", "https://x-dns-1234.hcp.westeurope.azmk8s.io:443"),
        ("x", "https://0a1b.k8s.ondigitalocean.com"),
    ],
)
def test_a_cluster_that_may_matter_to_somebody_is_seen(context: str, server: str) -> None:
    assert list(signs(context, server))


@pytest.mark.parametrize(
    "context", ["kind-west", "minikube", "product-team-dev", "delivery", "alive", "olive"]
)
def test_a_cluster_for_playing_is_not_suspected(context: str) -> None:
    assert not list(signs(context, PLAIN))


def test_a_lab_without_a_mesh_of_its_own_needs_no_rights_on_definitions_and_webhooks() -> None:
    extra = {need.resource for need in needs("lab")} - {need.resource for need in needs("user")}
    assert {"customresourcedefinitions", "mutatingwebhookconfigurations", "clusterroles", "secrets"} <= extra
    assert needs("none") == needs("user")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Forbidden(401, "Unauthorized", "GET /api: Unauthorized"), "log in again"),
        (Forbidden(403, "Forbidden", "GET /api: forbidden"), "auth can-i --list"),
        (Unavailable(0, "", "unreachable: certificate verify failed"), "another authority"),
        (Unavailable(0, "", "unreachable: no answer within 10 s"), "VPN"),
    ],
)
def test_an_error_comes_with_what_usually_helps(error: Forbidden | Unavailable, words: str) -> None:
    said = explained("far", error)
    assert str(said).startswith("context far: ")
    assert words in said.remedy
