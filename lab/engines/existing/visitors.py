"""Where a lab is a guest: the clusters in its own kubeconfig, and how each is reached now.

The lab's file has what the user's had at the last `up`. For a connection the user's is read again, because
credentials expire and are renewed there; the lab's copy serves once the context is gone.
"""

import secrets
from collections.abc import Mapping

import yaml

from lab.base.errors import UsageError
from lab.base.state import LabDir, write_private
from lab.engines.existing import contexts
from lab.engines.existing.contexts import Found
from lab.engines.existing.guest import Guest
from lab.kube.kubeconfig import Document, entries, merged
from lab.plan.visit import Visit

NO_CLAIM = "none"
"""The claim of a lab that is only planned: nothing has it."""


def claim_of(lab: LabDir) -> str:
    """What marks everything that this lab makes: drawn once, so that two labs of one name differ."""
    if not lab.root.exists():
        return NO_CLAIM
    if not lab.claim.exists():
        write_private(lab.claim, secrets.token_hex(6))
    return lab.claim.read_text()


def begun(lab: LabDir) -> dict[str, Document]:
    """The clusters that `up` went to, by name, as the lab's kubeconfig has them."""
    return _by_cluster(lab, entries(lab.kubeconfig))


def joined(lab: LabDir) -> dict[str, Document]:
    """The clusters that are claimed, with the addresses at which pods of others reach them."""
    return _by_cluster(lab, entries(lab.inside_kubeconfig))


def write(lab: LabDir, here: Mapping[str, Document], inside: Mapping[str, Document]) -> None:
    """Replace both files; empty ones are removed."""
    for path, documents in ((lab.kubeconfig, here), (lab.inside_kubeconfig, inside)):
        if documents:
            named = {one["context"]["name"]: one for one in documents.values()}
            write_private(path, yaml.safe_dump(merged(named), sort_keys=False))
        else:
            path.unlink(missing_ok=True)


async def connect(lab: LabDir, cluster: str, wanted: Visit) -> Guest:
    """A client of a cluster that the lab is in, or would go to. Raises UsageError where no context leads."""
    known = begun(lab).get(cluster)
    if known is None:
        return await Guest.enter(contexts.find(cluster, wanted.reach[cluster]), claim_of(lab))
    return await Guest.enter(_now(cluster, server_of(known), wanted) or copy(known), claim_of(lab))


def server_of(document: Document) -> str:
    """The URL of the API server."""
    return str(document["cluster"]["cluster"]["server"])


def copy(document: Document) -> Found:
    """A cluster as the lab's own file has it."""
    return Found(document["context"]["name"], document["cluster"]["cluster"], document["user"]["user"])


def _now(cluster: str, server: str, wanted: Visit) -> Found | None:
    """The user's context for a cluster, if there still is one that leads to the same server."""
    if cluster not in wanted.reach:
        return None
    try:
        found = contexts.find(cluster, wanted.reach[cluster])
    except UsageError:
        return None
    return found if found.server == server else None


def _by_cluster(lab: LabDir, found: Mapping[str, Document]) -> dict[str, Document]:
    prefix = lab.context("")
    return {context.removeprefix(prefix): one for context, one in found.items()}
