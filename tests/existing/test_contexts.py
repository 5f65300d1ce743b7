"""Contexts are found where kubectl finds them, and copied so that they work from anywhere."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.base.errors import UsageError
from lab.engines.existing.contexts import find, is_local
from lab.plan.visit import Reach


def write(file: Path, name: str, cluster: Any = None, user: Any = None) -> str:
    document = {
        "clusters": [{"name": name, "cluster": cluster or {"server": f"https://{name}"}}],
        "users": [{"name": name, "user": user or {"token": name}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    file.write_text(yaml.safe_dump(document))
    return str(file)


def test_of_several_files_the_first_with_a_name_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write(tmp_path / "1", "a"), write(tmp_path / "2", "b")
    third = write(tmp_path / "3", "a", {"server": "https://other"})
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}:{third}:{tmp_path / 'none'}")
    assert find("west", Reach("b")).server == "https://b"
    assert find("west", Reach("a")).server == "https://a"


def test_files_named_in_it_are_read_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    run = {"command": "./login", "apiVersion": "client.authentication.k8s.io/v1"}
    file = write(
        tmp_path / "config", "a", {"server": "https://a", "certificate-authority": "ca.crt"}, {"exec": run}
    )
    found = find("west", Reach("a", file))
    assert base64.b64decode(found.cluster["certificate-authority-data"]) == b"CA"
    assert "certificate-authority" not in found.cluster
    assert found.user["exec"]["command"] == str(tmp_path / "login")


def test_a_misspelt_context_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'cluster west: no context "frankfrut".*frankfurt') as caught:
        find("west", Reach("frankfrut", write(tmp_path / "config", "frankfurt")))
    assert "frankfurt" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not a mapping"),
        ("{", "cannot be read"),
        ("clusters: [[]]\ncontexts: [{name: a, context: {cluster: a}}]", "an entry of clusters"),
        ("contexts: [{name: a, context: {cluster: b}}]", 'names cluster "b", which is not there'),
    ],
)
def test_a_damaged_file_is_told_apart(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        find("west", Reach("a", str(file)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_an_address_of_this_machine_is_none_for_pods_elsewhere(host: str) -> None:
    assert is_local(f"https://{host}:6443")


@pytest.mark.parametrize("host", ["10.0.0.1", "localhost.example.com", "127.example.com"])
def test_other_addresses_may_be_reached_from_pods(host: str) -> None:
    assert not is_local(f"https://{host}:6443")
