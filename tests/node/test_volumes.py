"""Volumes of pods on the real node: what files hold, who may read them, what cannot be mounted and why."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lab.base.wait import until
from lab.kube.errors import NotFound
from lab.kube.kinds import CONFIG_MAPS, EVENTS, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS
from lab.pocket.node.volumes.content import File
from lab.pocket.node.volumes.tree import write_tree
from tests.node.cluster import Cluster, container

Object = dict[str, Any]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other groups")


async def mounted(cluster: Cluster, name: str, volume: Object, **fields: Any) -> Path:
    """The folder that a ready pod finds at /v."""
    mount = {"name": "v", "mountPath": "/v", **fields.pop("mount", {})}
    app = container("app", volumeMounts=[mount], **fields.pop("app", {}))
    made = await cluster.make_pod(name, app, volumes=[{"name": "v", **volume}], **fields)
    await cluster.ready(name)
    spec = next(s for s in cluster.runtime.specs.values() if s.pod_uid == made["metadata"]["uid"])
    return next(Path(m.source) for m in spec.mounts if m.target == "/v")


async def event(cluster: Cluster, reason: str, text: str) -> None:
    async def told() -> bool:
        events = await cluster.client.list(EVENTS, "default")
        return any(e["reason"] == reason and text in e["message"] for e in events)

    await until(told, timeout=6, what=f"event {reason}: {text}", every=0.05)


def source(kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, **fields}


async def test_downward_volume_holds_labels_and_limits(cluster: Cluster) -> None:
    limit = {"containerName": "app", "resource": "limits.memory", "divisor": "1Mi"}
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "deep/memory", "resourceFieldRef": limit},
    ]
    app = {"resources": {"limits": {"memory": "64Mi"}}}
    folder = await mounted(cluster, "web", {"downwardAPI": {"items": items}}, app=app)
    assert ((folder / "labels").read_text(), (folder / "deep/memory").read_text()) == ('app="web"', "64")


async def test_downward_volume_follows_the_labels(cluster: Cluster) -> None:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    folder = await mounted(cluster, "web", {"downwardAPI": {"items": items}})
    await cluster.client.patch(PODS, "web", {"metadata": {"labels": {"more": "yes"}}}, "default")

    async def followed() -> bool:
        return (folder / "labels").read_text() == 'app="web"\nmore="yes"'

    await until(followed, timeout=5, what="the new label in the volume", every=0.02)


async def test_projected_volume_joins_its_sources_with_their_modes(cluster: Cluster) -> None:
    await cluster.client.create(CONFIG_MAPS, source("ConfigMap", "conf", data={"a": "1", "b": "2"}))
    await cluster.client.create(SECRETS, source("Secret", "key", data={"k": "eA=="}))
    sources = [
        {"configMap": {"name": "conf", "items": [{"key": "a", "path": "sub/a", "mode": 0o400}]}},
        {"secret": {"name": "key"}},
        {"configMap": {"name": "absent", "optional": True}},
        {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
    ]
    folder = await mounted(cluster, "web", {"projected": {"sources": sources, "defaultMode": 0o440}})
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("sub/a", "k")}
    assert modes == {"sub/a": 0o400, "k": 0o440}
    assert (folder / "token").read_text().count(".") == 2
    assert not (folder / "b").exists()


async def test_projected_source_that_is_unknown_is_told(cluster: Cluster) -> None:
    volume = {"name": "v", "projected": {"sources": [{"podCertificate": {"signerName": "x/y"}}]}}
    await cluster.make_pod("web", volumes=[volume])
    await event(cluster, "FailedMount", "projected sources of type podCertificate are not supported here")


@pytest.mark.parametrize(
    "volume",
    [{"nfs": {"server": "s", "path": "/"}}, {"csi": {"driver": "d"}}, {"ephemeral": {}}],
    ids=lambda volume: next(iter(volume)),
)
async def test_volume_that_cannot_be_served_is_told_with_those_that_can(
    cluster: Cluster, volume: Object
) -> None:
    await cluster.make_pod("web", volumes=[{"name": "v", **volume}])
    kind = next(iter(volume))
    await event(cluster, "FailedMount", f'for volume "v" : volumes of type {kind} cannot be served')
    assert (await cluster.get(PODS, "web"))["status"]["phase"] == "Pending"


async def test_sub_path_may_come_from_the_environment(cluster: Cluster) -> None:
    app = {"env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}
    mount = {"subPathExpr": "logs/$(WHO)"}
    folder = await mounted(cluster, "web", {"emptyDir": {}}, app=app, mount=mount)
    assert folder.parts[-2:] == ("logs", "web")
    assert folder.is_dir()


async def test_sub_path_of_a_config_map_is_one_file(cluster: Cluster) -> None:
    await cluster.client.create(CONFIG_MAPS, source("ConfigMap", "conf", data={"a": "1"}))
    file = await mounted(cluster, "web", {"configMap": {"name": "conf"}}, mount={"subPath": "a"})
    assert file.read_text() == "1"


async def test_host_path_of_another_type_is_told(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    host = {"path": str(tmp_path / "file"), "type": "Directory"}
    await cluster.make_pod("web", volumes=[{"name": "v", "hostPath": host}])
    await event(cluster, "FailedMount", f"hostPath type check failed: {tmp_path}/file is not a directory")


def claim(name: str, **spec: Any) -> Object:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return source("PersistentVolumeClaim", name, spec=wanted)


async def test_claim_is_bound_and_keeps_what_pods_write(cluster: Cluster) -> None:
    await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("data"))
    bound = await cluster.until(
        PERSISTENT_VOLUME_CLAIMS, "data", lambda c: (c.get("status") or {}).get("phase") == "Bound"
    )
    assert bound["status"]["capacity"] == {"storage": "1Gi"}
    volume = {"persistentVolumeClaim": {"claimName": "data"}}
    first = await mounted(cluster, "one", volume)
    (first / "file").write_text("kept")
    await cluster.client.delete(PODS, "one", "default", gracePeriodSeconds=0)
    await cluster.until_gone(PODS, "one")
    assert ((await mounted(cluster, "two", volume)) / "file").read_text() == "kept"


async def test_files_of_a_deleted_claim_live_as_long_as_the_pod_that_uses_them(cluster: Cluster) -> None:
    await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("data"))
    folder = await mounted(cluster, "web", {"persistentVolumeClaim": {"claimName": "data"}})
    await cluster.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
    await cluster.until_gone(PERSISTENT_VOLUME_CLAIMS, "data")
    assert folder.is_dir()
    await cluster.client.delete(PODS, "web", "default", gracePeriodSeconds=0)

    async def gone() -> bool:
        return not folder.exists()

    await until(gone, timeout=6, what="the claim's folder gone", every=0.02)


async def test_pod_waits_for_its_claim(cluster: Cluster) -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "later"}}]
    await cluster.make_pod("web", volumes=volumes)
    with pytest.raises(NotFound):
        await cluster.get(PERSISTENT_VOLUME_CLAIMS, "later")
    await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("later"))
    await cluster.ready("web")


async def test_claim_for_a_block_device_stays_pending_and_is_told(cluster: Cluster) -> None:
    await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("raw", volumeMode="Block"))
    await event(cluster, "ProvisioningFailed", "volumeMode Block cannot be served")


@as_root
async def test_volumes_belong_to_the_group_that_the_pod_names(cluster: Cluster) -> None:
    context = {"fsGroup": 4321}
    await cluster.client.create(SECRETS, source("Secret", "key", data={"k": "eA=="}))
    folder = await mounted(cluster, "web", {"emptyDir": {}}, securityContext=context)
    written = await mounted(
        cluster, "two", {"secret": {"secretName": "key", "defaultMode": 0o400}}, securityContext=context
    )
    assert (folder.stat().st_gid, (written / "k").stat().st_gid) == (4321, 4321)
    assert stat.S_IMODE((written / "k").stat().st_mode) == 0o440


async def test_token_can_be_read_by_a_container_that_is_not_root(cluster: Cluster) -> None:
    await cluster.make_pod("web", securityContext={"runAsUser": 1000})
    await cluster.ready("web")
    [spec] = cluster.runtime.specs.values()
    account = next(Path(m.source) for m in spec.mounts if m.target.endswith("serviceaccount"))
    assert stat.S_IMODE((account / "token").stat().st_mode) == 0o644
    assert spec.user == 1000


def test_a_change_replaces_all_files_at_once_and_removes_what_is_gone(tmp_path: Path) -> None:
    write_tree(tmp_path / "v", {"a": File(b"1"), "old": File(b"x")})
    before = os.readlink(tmp_path / "v" / "..data")
    assert write_tree(tmp_path / "v", {"a": File(b"2")})
    assert os.readlink(tmp_path / "v" / "..data") != before
    assert sorted(p.name for p in (tmp_path / "v").iterdir() if not p.name.startswith("..")) == ["a"]


def test_the_same_content_changes_nothing(tmp_path: Path) -> None:
    write_tree(tmp_path / "v", {"a": File(b"1")})
    assert not write_tree(tmp_path / "v", {"a": File(b"1")})
