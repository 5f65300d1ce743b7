"""Policy, metrics and trust in a real lab, with kubectl, as a user would see them."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from lab.controlplane.identity.certificates import Pair, issuer, trust_anchor
from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow]
GUARDED = """
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: echo, namespace: NAMESPACE}
spec: {podSelector: {matchLabels: {app: APP}}, port: http}
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: loadgen-only, namespace: NAMESPACE}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: echo}
  requiredAuthenticationRefs: [{kind: ServiceAccount, name: loadgen, namespace: traffic}]
"""


@pytest.fixture(scope="module")
def lab(cli: Cli) -> Iterator[RunningLab]:
    yield from bring_up(cli, "mixed", "policy")


def asked(lab: RunningLab, url: str, code: int = 0) -> int:
    """The status that west's load generator gets."""
    words = ("exec", "-n", "traffic", "deploy/loadgen", "-c", "loadgen", "--", "client", url)
    return int(json.loads(lab.kubectl("west", *words, code=code).splitlines()[0])["status"])


def guard(lab: RunningLab, folder: Path, namespace: str, app: str) -> Path:
    file = folder / f"{namespace}.yaml"
    file.write_text(GUARDED.replace("NAMESPACE", namespace).replace("APP", app))
    lab.kubectl("east", "apply", "-f", str(file))
    return file


def test_a_policy_for_one_client_works_in_flat_mode_and_cannot_through_a_gateway(
    lab: RunningLab, tmp_path: Path
) -> None:
    flat, gateway = guard(lab, tmp_path, "shop", "front"), guard(lab, tmp_path, "echo", "echo")
    lab.eventually(
        "the policy", lambda: lab.traffic("west", "echo-east").get("errors", {}).get("http-403"), within=30
    )
    assert asked(lab, "http://front-east.shop") == 200
    assert asked(lab, "http://echo-east.echo", code=1) == 403
    for file in (flat, gateway):
        lab.kubectl("east", "delete", "-f", str(file))
    lab.eventually("all is allowed again", lab.healthy, within=60)


def test_a_pods_metrics_name_the_identity_at_the_other_end(lab: RunningLab) -> None:
    pod = lab.kubectl("west", "get", "pods", "-n", "traffic", "-o", "jsonpath={.items[0].metadata.name}")
    path = f"/api/v1/namespaces/traffic/pods/{pod}:4191/proxy/metrics"
    metrics = lab.kubectl("west", "get", "--raw", path)
    wanted = r'request_total\{.*dst_service="front-east".*server_id="front\.shop\.serviceaccount\.'
    assert re.search(wanted, metrics)


def encoded(pair: Pair) -> str:
    data = {"crt.pem": pair.certificate, "key.pem": pair.key}
    return json.dumps({"data": {key: base64.b64encode(value).decode() for key, value in data.items()}})


def test_a_new_issuer_of_the_same_anchor_is_used_without_a_failed_request(lab: RunningLab) -> None:
    anchor = Pair(
        (lab.dir.pki / "trust-anchor.crt").read_bytes(), (lab.dir.pki / "trust-anchor.key").read_bytes()
    )
    new = issuer("identity.linkerd.cluster.local", anchor, datetime.now(UTC))
    where = ("-n", "linkerd", "secret", "linkerd-identity-issuer")
    lab.kubectl("east", "patch", *where, "--type=merge", "-p", encoded(new))
    lab.kubectl("east", "rollout", "restart", "-n", "echo", "deployment/echo")
    lab.kubectl("east", "rollout", "status", "-n", "echo", "deployment/echo", "--timeout=60s")
    lab.eventually("requests are answered", lambda: lab.traffic("west", "echo-east")["success"] == 1.0)
    assert lab.status()["problems"] == []


def test_clusters_of_different_anchors_say_so_in_status_and_up_mends_it(
    lab: RunningLab, tmp_path: Path
) -> None:
    stranger = trust_anchor("root.stranger", datetime.now(UTC))
    foreign = issuer("identity.linkerd.cluster.local", stranger, datetime.now(UTC))
    roots = tmp_path / "roots.yaml"
    roots.write_text(yaml.safe_dump({"data": {"ca-bundle.crt": stranger.certificate.decode()}}))
    where = ("-n", "linkerd", "--type=merge")
    lab.kubectl(
        "east", "patch", "configmap", "linkerd-identity-trust-roots", *where, "--patch-file", str(roots)
    )
    lab.kubectl("east", "patch", "secret", "linkerd-identity-issuer", *where, "-p", encoded(foreign))
    found = {p["where"]: p["what"] for p in lab.status()["problems"]}
    assert "root.stranger" in found["trust east -> west"]
    assert "connections between them end in the TLS handshake" in found["trust west -> east"]
    steps = lab.cli.json("up", "mixed", "--lab", lab.name, "--dry-run")
    assert ("install-mesh", "east") in [(step["verb"], step["target"]) for step in steps]
    lab.cli.run("up", "mixed", "--lab", lab.name)
    assert lab.status()["problems"] == []
