"""As whom a container runs: the user, group and further groups that its security contexts ask for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object
from lab.pocket.node.fields import BadReference

NONROOT = 65532
"""Who a container runs as that must not be root and names nobody: the images of a lab have no user."""


@dataclass(frozen=True)
class Identity:
    """Numbers as the kernel knows them."""

    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()


ROOT = Identity()


def identity(pod: Object, container: Mapping[str, Any], *, many_users: bool) -> Identity:
    """The container's own security context goes before the pod's.

    Raises BadReference for a user that must not be, or that this node cannot be (`many_users` is false in
    a lab of an ordinary user, whose user namespace has one user only).
    """
    whole = pod["spec"].get("securityContext") or {}
    both = {**whole, **(container.get("securityContext") or {})}
    user = both.get("runAsUser")
    if both.get("runAsNonRoot"):
        if user == 0:
            raise BadReference("container's runAsUser breaks non-root policy")
        user = user or NONROOT
    wanted = Identity(user or 0, both.get("runAsGroup") or 0, _groups(whole))
    if (wanted.user or wanted.group) and not many_users:
        raise BadReference(
            f"cannot run as user {wanted.user}, group {wanted.group}: the lab of an ordinary user "
            "has only that one; leave runAsUser, runAsGroup and runAsNonRoot out, or run the lab as root"
        )
    return wanted if many_users else ROOT


def fs_group(pod: Object) -> int | None:
    """The group that owns the pod's volumes."""
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def has_other_users(pod: Object) -> bool:
    """Whether a container may run as somebody else than root, who could not read what only root may."""
    spec = pod["spec"]
    contexts = [spec, *(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    asked = [each.get("securityContext") or {} for each in contexts]
    return any(each.get("runAsUser") or each.get("runAsNonRoot") for each in asked)


def _groups(context: Mapping[str, Any]) -> tuple[int, ...]:
    groups = [*(context.get("supplementalGroups") or ())]
    if context.get("fsGroup") is not None:
        groups.append(context["fsGroup"])
    return tuple(dict.fromkeys(int(group) for group in groups))
