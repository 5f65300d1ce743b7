"""Kubeconfig files: made of one entry per cluster, and read again. Pure, but for reading.

Every engine writes two per lab, with the same contexts: for this machine, and with the addresses at which
pods of other clusters reach the API servers.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.base.errors import LabError

Document = dict[str, Any]
_PARTS = ("cluster", "user", "context")


def entry(name: str, server: str, authority: str, user: Mapping[str, Any]) -> Document:
    """One cluster's parts under one name; `authority` is its certificate in base64, as kubeconfigs do."""
    return {
        "cluster": {"name": name, "cluster": {"server": server, "certificate-authority-data": authority}},
        "user": {"name": name, "user": dict(user)},
        "context": {"name": name, "context": {"cluster": name, "user": name}},
    }


def merged(entries: Mapping[str, Document]) -> Document:
    """One kubeconfig of all entries; the first one's context is the current one."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(entries), ""),
        **{f"{part}s": [one[part] for one in entries.values()] for part in _PARTS},
    }


def entries(path: Path) -> dict[str, Document]:
    """The entries of a file that `merged` made; none where there is no file."""
    if not path.exists():
        return {}
    document = yaml.safe_load(path.read_text()) or {}
    found: dict[str, Document] = {}
    for part in _PARTS:
        for one in document.get(f"{part}s") or []:
            found.setdefault(one["name"], {})[part] = one
    return {name: parts for name, parts in found.items() if parts.keys() == set(_PARTS)}


def server_of(path: Path, context: str) -> tuple[str, str]:
    """The URL and the certificate authority (PEM) of a context; "" for one whose server everybody trusts.

    Raises LabError if there is no such context.
    """
    found = entries(path).get(context)
    if found is None:
        raise LabError(f"{path} has no context {context}", remedy="`lab up` writes it anew")
    cluster = found["cluster"]["cluster"]
    return str(cluster["server"]), base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
