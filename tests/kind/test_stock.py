"""Labs without a network: what is needed, what is noted, and the refusal first. No Docker."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.base.errors import EngineUnavailable, UsageError
from lab.engines.kind import stock
from lab.engines.kind.apps import AppsImage
from lab.engines.kind.images import Images
from lab.ops import images

NODE = "kindest/node:v1.36.4@sha256:ab"
WANTED = Images("kindest/node:v1.36.4", AppsImage("multicluster.lab/apps:1234", ("build",)))
PROXY = "cr.l5d.io/linkerd/proxy:v2"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def test_what_pods_need_is_all_that_is_noted_but_nodes_and_builds_of_the_apps() -> None:
    stock.note([NODE, "multicluster.lab/apps:0000", PROXY])
    stock.note(["multicluster.lab/apps:dev", "busybox"])
    assert stock.complete(WANTED).others == ("busybox", PROXY)


def test_all_that_is_absent_is_listed_at_once() -> None:
    stock.note([PROXY, "busybox"])
    with pytest.raises(EngineUnavailable) as caught:
        stock.refuse_absent(stock.complete(WANTED), frozenset({"busybox:latest", "kindest/node:v1.36.4"}))
    assert str(caught.value).splitlines()[1:] == ["  multicluster.lab/apps:1234", f"  {PROXY}"]
    assert "images.load" in caught.value.remedy


def test_without_any_note_the_meshs_images_are_absent() -> None:
    here = frozenset({"kindest/node:v1.36.4", "multicluster.lab/apps:1234"})
    with pytest.raises(EngineUnavailable, match="the mesh's images: none were saved or loaded here"):
        stock.refuse_absent(stock.complete(WANTED), here)


def test_images_are_saved_by_their_tags_and_only_those_that_are_absent_are_pulled() -> None:
    wanted = replace(WANTED, node=NODE, others=(PROXY,))
    here = frozenset({"kindest/node@sha256:ab", "multicluster.lab/apps:1234"})
    assert [act.line for act in stock.saving(wanted, here, Path("/a.tar"))] == [
        f"docker pull {PROXY}",
        f"docker tag {NODE} kindest/node:v1.36.4",
        "docker tag multicluster.lab/apps:1234 multicluster.lab/apps:dev",
        "docker save --output=/a.tar multicluster.lab/apps:1234 multicluster.lab/apps:dev "
        f"kindest/node:v1.36.4 {PROXY}",
    ]


def test_the_names_of_loaded_images_are_those_that_docker_prints() -> None:
    said = "Loading layer  1kB/1kB\nLoaded image: kindest/node:v1.36.4\nLoaded image ID: sha256:ab\n"
    assert stock.loaded(said) == ["kindest/node:v1.36.4"]


def test_a_labs_images_are_those_of_its_pods_but_not_of_the_nodes_own() -> None:
    def pod(space: str, *names: str) -> dict[str, object]:
        containers = [{"image": name} for name in names]
        return {
            "metadata": {"namespace": space},
            "spec": {"containers": containers[1:], "initContainers": containers[:1]},
        }

    pods = [pod("kube-system", "etcd", "apiserver"), pod("shop", "init", "proxy"), pod("echo", "init", "app")]
    assert images.images_of(pods) == ["app", "init", "proxy"]


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no.tar is not there"):
        images.load(str(tmp_path / "no.tar"))
