"""What `linkerd check --output=json` says, as findings. Pure.

The CLI prints one document for the control plane and one more for each extension, one after the other.
"""

import json
from collections.abc import Iterator
from typing import Any

from lab.base.errors import LabError
from lab.mesh.protocol import Finding


def findings(text: str, cluster: str) -> list[Finding]:
    """Every check in its order. Raises LabError for output that is not what a check prints."""
    try:
        documents = list(_documents(text))
        return [
            _finding(cluster, str(category["categoryName"]), check)
            for document in documents
            for category in document["categories"] or ()
            for check in category["checks"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"`linkerd check` in {cluster} did not answer in its JSON: {text.strip()[:200] or '(nothing)'}",
            remedy="run `linkerd check` by hand",
        ) from error


def _documents(text: str) -> Iterator[dict[str, Any]]:
    decoder, rest = json.JSONDecoder(), text.strip()
    if not rest:
        raise ValueError("no document")
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].lstrip()


def _finding(cluster: str, category: str, check: dict[str, Any]) -> Finding:
    """`result` is success, warning or error; a hint is a URL."""
    result = str(check["result"])
    hint = str(check.get("hint") or "")
    return Finding(
        check=f"{category}: {check['description']}",
        where=cluster,
        ok=result != "error",
        seen=" ".join(str(check.get("error") or "").split()),
        remedy=f"see {hint}" if hint else "",
        is_warning=result == "warning",
    )
