"""The lab's kubeconfigs, made of what the nodes hold. Pure, but for the files.

One is for this machine, with the port that Docker publishes. The other has the nodes' own addresses: this is
how pods of other clusters reach an API server.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.base.state import LabDir, write_private

Document = dict[str, Any]


def write(lab: LabDir, admins: Mapping[str, Document], servers: Mapping[str, tuple[str, str]]) -> None:
    """Write both files. `admins` are the clusters' own administrator files, `servers` the URLs (from here,
    from the other clusters). A cluster without these, being paused or down, keeps what it had."""
    for index, path in enumerate((lab.kubeconfig, lab.inside_kubeconfig)):
        known = _entries(path)
        fresh = {
            lab.context(name): entry(admin, servers[name][index], lab.context(name))
            for name, admin in admins.items()
        }
        kept = {context: known[context] for context in map(lab.context, servers) if context in known}
        write_private(path, yaml.safe_dump(merged({**kept, **fresh}), sort_keys=False))


def entry(admin: Document, server: str, name: str) -> Document:
    """The parts of one cluster's administrator file, under our name and server."""
    cluster = {**admin["clusters"][0]["cluster"], "server": server}
    return {
        "cluster": {"name": name, "cluster": cluster},
        "user": {"name": name, "user": admin["users"][0]["user"]},
        "context": {"name": name, "context": {"cluster": name, "user": name}},
    }


def merged(entries: Mapping[str, Document]) -> Document:
    """One kubeconfig of all entries; the first one's context is the current one."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(entries), ""),
        **{f"{part}s": [one[part] for one in entries.values()] for part in ("cluster", "user", "context")},
    }


def _entries(path: Path) -> dict[str, Document]:
    if not path.exists():
        return {}
    found: dict[str, Document] = {}
    document = yaml.safe_load(path.read_text()) or {}
    for part in ("cluster", "user", "context"):
        for one in document.get(f"{part}s") or []:
            found.setdefault(one["name"], {})[part] = one
    return {name: parts for name, parts in found.items() if len(parts) == 3}
