"""What a Link's status says of the services it should mirror. Pure.

Links of 2.14 (v1alpha1) have no status. Later ones list every exported service of the target with a condition
`Mirrored`, under `mirrorServices` for mirrors and `federatedServices` for federated services.
"""

from collections.abc import Iterator

from lab.kube import objects
from lab.kube.objects import Object

LISTS = ("mirrorServices", "federatedServices")


def services(link: Object) -> Iterator[Object]:
    """The entries of the status, one for each service."""
    for part in LISTS:
        yield from objects.status(link).get(part) or ()


def unmirrored(link: Object) -> str:
    """Which services are not mirrored and why, in one line; empty if all are."""
    found = [
        f"{_name(one)} is not mirrored: {condition.get('reason')}"
        for one in services(link)
        for condition in one.get("conditions") or ()
        if condition.get("type") == "Mirrored" and condition.get("status") == "False"
    ]
    rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{rest}" if found else ""


def _name(entry: Object) -> str:
    remote = entry.get("remoteRef") or {}
    return f"{remote.get('namespace')}/{remote.get('name')}"
