"""What a user keeps in files and sends with kubectl: apply, replace, edit, dry runs, deletion, lists."""

import json
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.kubectl.plain import kubectl

pytestmark = pytest.mark.netns

SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: %s, namespace: plain, labels: {part-of: files}}
data: {colour: red}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: plain}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: multicluster.lab/apps, args: [echo]}]
"""


@pytest.fixture
def settings(lab: RunningLab, tmp_path: Path) -> Path:
    """A file that is applied."""
    file = tmp_path / "settings.yaml"
    file.write_text(SETTINGS % "files")
    kubectl(lab, "apply", "-f", str(file))
    return file


def colour(lab: RunningLab) -> str:
    return kubectl(lab, "get", "configmap", "files", "-o", "jsonpath={.data.colour}")


@pytest.mark.parametrize(
    "allowlist",
    [
        pytest.param(["--prune-allowlist=core/v1/ConfigMap"], id="of named kinds"),
        pytest.param([], id="of all kinds"),
    ],
)
def test_apply_prunes_what_left_the_files(lab: RunningLab, tmp_path: Path, allowlist: list[str]) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    for name in ("kept", "dropped"):
        (folder / f"{name}.yaml").write_text((SETTINGS % name).replace("part-of: files", "part-of: pruned"))
    kubectl(lab, "apply", "-f", str(folder))
    (folder / "dropped.yaml").unlink()
    said = kubectl(lab, "apply", "-f", str(folder), "--prune", "-l", "part-of=pruned", *allowlist)
    assert "configmap/dropped pruned" in said
    assert kubectl(lab, "get", "configmap", "-l", "part-of=pruned", "-o", "name") == "configmap/kept\n"


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_kustomization_is_applied_and_shows_no_difference(
    lab: RunningLab, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    (tmp_path / "kustomization.yaml").write_text(
        "namePrefix: k-\nresources: [web.yaml]\nreplicas: [{name: web, count: 0}]\n"
        "configMapGenerator: [{name: made, namespace: plain, literals: [a=b]}]\n"
    )
    assert "deployment.apps/k-web" in kubectl(lab, "apply", "-k", str(tmp_path), *flags)
    assert kubectl(lab, "diff", "-k", str(tmp_path), *flags) == ""
    assert kubectl(lab, "get", "deployment", "k-web", "-o", "jsonpath={.spec.replicas}") == "0"
    assert kubectl(lab, "delete", "-k", str(tmp_path)).count("deleted") == 2


def test_diff_and_dry_runs_change_nothing(lab: RunningLab, settings: Path) -> None:
    settings.write_text(settings.read_text().replace("red", "blue"))
    assert "+  colour: blue" in kubectl(lab, "diff", "-f", str(settings), code=1)
    assert "(server dry run)" in kubectl(lab, "apply", "-f", str(settings), "--dry-run=server")
    made = kubectl(lab, "create", "deployment", "d", "--image=x", "--dry-run=server", "-o", "json")
    assert json.loads(made)["spec"]["strategy"]["type"] == "RollingUpdate"  # the server's default
    assert colour(lab) == "red"
    assert kubectl(lab, "get", "deployment", "d", "--ignore-not-found") == ""


def test_force_conflicts_takes_the_field_over(lab: RunningLab, settings: Path) -> None:
    settings.write_text(settings.read_text().replace("red", "green"))
    words = ("apply", "--server-side", "--field-manager=other", "-f", str(settings))
    assert "conflict with" in kubectl(lab, *words, code=1)
    kubectl(lab, *words, "--force-conflicts")
    found = json.loads(kubectl(lab, "get", "configmap", "files", "--show-managed-fields", "-o", "json"))
    owners = [e["manager"] for e in found["metadata"]["managedFields"] if "f:data" in e["fieldsV1"]]
    assert (colour(lab), owners) == ("green", ["other"])


def test_edit_saves_what_the_editor_leaves(
    lab: RunningLab, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/colour: red/colour: edited/" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    assert "configmap/files edited" in kubectl(lab, "edit", "configmap", "files")
    assert colour(lab) == "edited"


def test_replace_needs_the_latest_revision_unless_forced(
    lab: RunningLab, settings: Path, tmp_path: Path
) -> None:
    before = kubectl(lab, "get", "configmap", "files", "-o", "json")
    file = tmp_path / "before.json"
    file.write_text(before)
    kubectl(lab, "annotate", "configmap", "files", "touched=again", "--overwrite")
    refused = kubectl(lab, "replace", "-f", str(file), code=1)
    assert "the object has been modified; please apply your changes to the latest version" in refused
    kubectl(lab, "replace", "--force", "-f", str(file))
    found = json.loads(kubectl(lab, "get", "configmap", "files", "-o", "json"))
    assert found["metadata"]["uid"] != json.loads(before)["metadata"]["uid"]


def test_deletion_orphans_or_awaits_dependents(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(WEB)
    kubectl(lab, "apply", "-f", str(file))
    kubectl(lab, "rollout", "status", "deployment/web", "--timeout=20s")
    kubectl(lab, "delete", "deployment", "web", "--cascade=orphan")
    orphan = kubectl(lab, "get", "replicaset", "-l", "app=web", "-o", "name").strip()
    assert "1/1" in kubectl(lab, "get", "pods", "-l", "app=web", "--no-headers")
    kubectl(lab, "delete", orphan, "--cascade=foreground", "--timeout=20s")
    assert kubectl(lab, "get", "pods,replicasets", "-l", "app=web", "-o", "name") == ""


# Reading


def test_get_prints_go_templates_and_reads_in_chunks(lab: RunningLab) -> None:
    names = kubectl(lab, "get", "configmaps", "-o", "go-template={{range .items}}{{.metadata.name}} {{end}}")
    chunked = kubectl(lab, "get", "configmaps", "--chunk-size=1", "-v=8", "-o", "name")
    assert {"settings", "kube-root-ca.crt"} <= set(names.split())
    assert [line.partition("/")[2] for line in chunked.splitlines() if line.startswith("configmap/")] == (
        names.split()
    )
    assert "limit=1" in chunked
    assert "continue=" in chunked


def test_every_served_group_version_is_listed(lab: RunningLab) -> None:
    found = kubectl(lab, "api-versions").split()
    assert {"v1", "apps/v1", "batch/v1", "gateway.networking.k8s.io/v1"} <= set(found)


def test_an_autoscaler_is_stored_with_a_warning(lab: RunningLab) -> None:
    said = kubectl(lab, "autoscale", "deployment/echo", "--min=1", "--max=3")
    assert "Warning:" in said
    assert "Deployment/echo" in kubectl(lab, "get", "hpa", "echo", "--no-headers")
    kubectl(lab, "delete", "hpa", "echo")
