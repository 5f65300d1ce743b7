"""Bundles made by hand for tests: the files of one, and an archive of any members."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TOPOLOGY = """
name: small
clusters: {west: {}}
apps: [{app: echo}]
traffic: [{from: west, to: "http://echo.echo", name: echo}]
scenario:
  expect: [{traffic: west/echo, success: ">= 99%"}]
"""
OUTCOME = {
    "subject": "west/echo",
    "measure": "success",
    "window": "whole run",
    "wanted": ">= 99%",
    "seen": "98% of 100",
    "ok": False,
}


def verdict(*oks: bool, seen: str = "98% of 100") -> dict[str, Any]:
    """A verdict of one expectation that held or failed in each round."""
    rounds = [{"seed": 7, "expectations": [{**OUTCOME, "ok": ok, "seen": seen}]} for ok in oks]
    return {"verdict": "held" if all(oks) else "failed", "rounds": rounds}


def files(topology: str = TOPOLOGY, **more: str) -> dict[str, str]:
    """What a small bundle holds; `more` by path, with __ for a slash and _ for a dot."""
    named = {path.replace("__", "/").replace("_", "."): text for path, text in more.items()}
    return {"topology.yaml": topology, "run/verdict.json": json.dumps(verdict(False)), **named}


def manifest(content: Mapping[str, str], **more: Any) -> str:
    rows = [
        {"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()} for path, text in content.items()
    ]
    return json.dumps({"format": 1, "lab": "small", "programs": {}, "missing": [], "files": rows, **more})


def member(path: str, text: str, **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.size = len(text.encode())
    for name, value in more.items():
        setattr(info, name, value)
    return info, text.encode()


def archive(file: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with gzip.open(file, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return file


def bundle(file: Path, content: Mapping[str, str], **more: Any) -> Path:
    """An archive as `lab bundle` makes it."""
    whole = {**content, "manifest.json": manifest(content, **more)}
    return archive(file, [member(f"small/{path}", text) for path, text in whole.items()])
