"""What the injector does to a pod. Goldens hold the injected pod; `LAB_GOLDEN=write` writes them anew."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from lab.controlplane.inject.patch import patch
from lab.controlplane.inject.settings import Config, why_not
from lab.controlplane.inject.webhook import Injector
from lab.kube.informer import Informer

GOLDEN = Path(__file__).parent / "golden"
CONFIG = Config(trust_anchors="-----BEGIN CERTIFICATE-----\nroots\n-----END CERTIFICATE-----\n")
Object = dict[str, Any]


def a_pod(annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    return {
        "metadata": {
            "generateName": "front-6d5f-",
            "labels": {"app": "front", "pod-template-hash": "6d5f"},
            "annotations": annotations or {},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "front-6d5f", "controller": True}],
        },
        "spec": {"containers": [{"name": "app", "image": "multicluster.lab/apps"}], **spec},
    }


MESHED = {"metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}}

INJECTED: dict[str, tuple[Object, Object]] = {
    "native-sidecar": (a_pod(), MESHED),
    "own-init-containers-and-volumes": (
        a_pod(initContainers=[{"name": "migrate", "image": "x"}], volumes=[{"name": "data", "emptyDir": {}}]),
        MESHED,
    ),
    "ordinary-sidecar": (a_pod({"config.alpha.linkerd.io/proxy-enable-native-sidecar": "false"}), MESHED),
    "gateway": (a_pod({"config.linkerd.io/enable-gateway": "true"}), MESHED),
    "skipped-ports-from-the-namespace": (
        a_pod({"config.linkerd.io/skip-inbound-ports": "25"}),
        {
            "metadata": {
                "name": "shop",
                "annotations": {
                    "linkerd.io/inject": "enabled",
                    "config.linkerd.io/skip-outbound-ports": "443,9000-9010",
                },
            }
        },
    ),
}


@pytest.mark.parametrize("case", INJECTED)
def test_the_injected_pod_is_as_recorded(case: str) -> None:
    pod, namespace = INJECTED[case]
    injected = jsonpatch.apply_patch(pod, patch(pod, namespace, "shop", CONFIG))
    text = yaml.safe_dump(injected, sort_keys=True)
    file = GOLDEN / f"{case}.yaml"
    if os.environ.get("LAB_GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


SKIPPED: dict[str, tuple[Object, Object, str, str]] = {
    "namespace without the annotation": (a_pod(), {"metadata": {}}, "shop", "is disabled"),
    "pod that opts out": (a_pod({"linkerd.io/inject": "disabled"}), MESHED, "shop", "is disabled"),
    "host network": (a_pod(hostNetwork=True), MESHED, "shop", "host's network"),
    "kube-system": (a_pod(), MESHED, "kube-system", "never injected"),
    "the control plane": (a_pod(), MESHED, "linkerd", "never injected"),
    "injected already": (a_pod(initContainers=[{"name": "linkerd-proxy"}]), MESHED, "shop", "proxy already"),
}


@pytest.mark.parametrize("case", SKIPPED)
def test_a_pod_stays_as_it_is_for_a_stated_reason(case: str) -> None:
    pod, namespace, name, reason = SKIPPED[case]
    assert (patch(pod, namespace, name, CONFIG), reason in why_not(pod, namespace, name)) == ([], True)


def test_a_pod_may_opt_in_by_itself() -> None:
    assert patch(a_pod({"linkerd.io/inject": "enabled"}), {"metadata": {}}, "shop", CONFIG)


async def test_the_webhook_answers_with_the_patch_for_the_pods_namespace(tmp_path: Path) -> None:
    roots = tmp_path / "ca-bundle.crt"
    roots.write_text(CONFIG.trust_anchors)
    namespaces = Informer(None, None)  # type: ignore[arg-type]
    namespaces.items["", "shop"] = MESHED
    injector = Injector(None, namespaces, roots, "latest")  # type: ignore[arg-type]
    answer = await injector.review({"request": {"uid": "u1", "namespace": "shop", "object": a_pod()}})
    response = answer["response"]
    assert (response["uid"], response["allowed"]) == ("u1", True)
    assert json.loads(base64.b64decode(response["patch"])) == patch(a_pod(), MESHED, "shop", CONFIG)
