"""The contexts of the user's kubeconfigs, and copies of them for a lab's own.

What kubectl would read is read: $KUBECONFIG (several files: the first that has a name wins), else
~/.kube/config. Certificates in files are copied in, so that the lab's file works wherever it is.
"""

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lab.base.errors import UsageError
from lab.kube.kubeconfig import Document
from lab.plan.visit import Reach
from lab.topology.problem import did_you_mean

_FILES = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}
_LOOPBACK = re.compile(r"localhost|127\.[\d.]+|::1|0\.0\.0\.0")


@dataclass(frozen=True)
class Found:
    """One context: its name, and the cluster's and user's parts with everything in place."""

    name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]

    @property
    def server(self) -> str:
        return str(self.cluster.get("server", ""))

    def document(self, context: str, server: str = "") -> Document:
        """Its parts under the name `context`, as `lab.kube.kubeconfig.merged` takes them."""
        cluster = {**self.cluster, **({"server": server} if server else {})}
        return {
            "cluster": {"name": context, "cluster": cluster},
            "user": {"name": context, "user": dict(self.user)},
            "context": {"name": context, "context": {"cluster": context, "user": context}},
        }


def find(cluster: str, reach: Reach) -> Found:
    """The context for a cluster of the topology. Raises UsageError, listing the contexts there are."""
    files = _files(reach.kubeconfig)
    contexts = _named("context", files)
    where = ", ".join(map(str, files))
    if reach.context not in contexts:
        there = ", ".join(contexts) or "none"
        raise UsageError(
            f'cluster {cluster}: no context "{reach.context}" in {where}; contexts there: {there}',
            remedy=did_you_mean(reach.context, contexts) or f"set clusters.{cluster}.context to one of them",
        )
    context = contexts[reach.context]
    parts = {}
    for part in ("cluster", "user"):
        named = _named(part, files)
        if context.get(part) not in named:
            raise UsageError(
                f'context "{reach.context}" in {where} names {part} "{context.get(part)}", which is not there'
            )
        parts[part] = named[context[part]]
    return Found(reach.context, parts["cluster"], parts["user"])


def is_local(url: str) -> bool:
    """Whether a URL leads to the machine itself, so that pods of other clusters cannot follow it."""
    return bool(_LOOPBACK.fullmatch(urlsplit(url).hostname or ""))


def _files(explicit: str) -> list[Path]:
    if explicit:
        paths = [Path(explicit)]
    elif listed := os.environ.get("KUBECONFIG"):
        paths = [Path(one) for one in listed.split(os.pathsep) if one]
    else:
        paths = [Path.home() / ".kube" / "config"]
    if not any(path.is_file() for path in paths):
        raise UsageError(
            f"no kubeconfig: {', '.join(map(str, paths))} is not there",
            remedy="set KUBECONFIG, or clusters.NAME.kubeconfig in the topology",
        )
    return [path for path in paths if path.is_file()]


def _named(part: str, files: list[Path]) -> dict[str, dict[str, Any]]:
    """All entries of one sort by name."""
    found: dict[str, dict[str, Any]] = {}
    for path in files:
        for entry in _read(path).get(f"{part}s") or []:
            if not (isinstance(entry, dict) and "name" in entry and isinstance(entry.get(part) or {}, dict)):
                raise UsageError(f"kubeconfig {path}: an entry of {part}s is not a name with a {part}")
            found.setdefault(str(entry["name"]), _in_place(entry.get(part) or {}, path.parent))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"kubeconfig {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"kubeconfig {path} is not a mapping with clusters, users and contexts")
    return document


def _in_place(part: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same with files' contents instead of their names, and absolute programs."""
    placed = dict(part)
    for key, target in _FILES.items():
        if path := placed.pop(key, None):
            placed.setdefault(target, base64.b64encode(_content(folder / path)).decode())
    if path := placed.get("tokenFile"):
        placed["tokenFile"] = str(folder / path)
    run = placed.get("exec")
    if isinstance(run, dict) and "/" in str(run.get("command", "")):
        placed["exec"] = {**run, "command": str(folder / run["command"])}
    return placed


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"kubeconfig names {path}, which cannot be read: {error.strerror}") from error
