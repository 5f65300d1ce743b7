"""What engine `existing` looks for before it touches somebody's cluster, as tables. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lab.topology.model import MeshProvider

LEAST_KUBERNETES = (1, 25)
"""The rules in the Gateway API's definitions (CEL) are served from this version on."""
MESH_NAMESPACES = ("linkerd", "linkerd-multicluster")
INJECT = "linkerd.io/inject"
"""The annotation of a namespace whose pods get a proxy."""


@dataclass(frozen=True)
class Sign:
    """A pattern in a context's name, or in its server's URL, and what it is a sign of."""

    where: Literal["name", "server"]
    pattern: str
    of: str


_WORDS = r"(?i)(^|[^a-z])(prod|production|prd|live)([^a-z]|$)"
PRODUCTION = (
    Sign("name", _WORDS, "production"),
    Sign("server", _WORDS, "production"),
    Sign("name", r"^arn:aws[^:]*:eks:", "a cluster of Amazon EKS"),
    Sign("server", r"\.eks\.amazonaws\.com", "a cluster of Amazon EKS"),
    Sign("name", r"^gke_", "a cluster of Google GKE"),
    Sign("server", r"\.gke\.goog", "a cluster of Google GKE"),
    Sign("server", r"\.azmk8s\.io", "a cluster of Azure AKS"),
    Sign("server", r"\.k8s\.ondigitalocean\.com", "a cluster of DigitalOcean"),
    Sign("server", r"\.linodelke\.net", "a cluster of Linode"),
    Sign("server", r"\.k8s\.scw\.cloud", "a cluster of Scaleway"),
    Sign("server", r"\.openshiftapps\.com|\.oraclecloud\.com", "a cluster of a cloud provider"),
)
"""Signs that a mistake here would hurt."""


def signs(context: str, server: str) -> Iterator[str]:
    """Why a context looks like production, in words; nothing for one that does not."""
    seen = {"name": context, "server": server}
    for sign in PRODUCTION:
        if re.search(sign.pattern, seen[sign.where]):
            yield f'its {sign.where} "{seen[sign.where]}" looks like {sign.of}'


@dataclass(frozen=True)
class Need:
    """One permission that the lab needs, as a SelfSubjectAccessReview asks for it; resources as RBAC has them
    (`pods/exec`), namespace "" for all of them."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}{where}"


_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
_WRITES = ("get", "create", "patch", "delete")
_GUEST = (
    *(Need(verb, "configmaps", namespace="kube-system") for verb in _WRITES),
    *(Need(verb, "namespaces") for verb in ("list", *_WRITES)),
    *(Need(verb, "deployments", "apps") for verb in ("list", *_WRITES)),
    *(
        Need(verb, resource)
        for resource in ("configmaps", "services", "serviceaccounts")
        for verb in ("list", *_WRITES)
    ),
    *(Need("list", resource) for resource in ("nodes", "events")),
    *(Need(verb, "pods") for verb in ("list", "delete")),
    Need("get", "pods/proxy"),
    Need("get", "pods/log"),
    Need("create", "pods/exec"),
)
"""For apps, status (through the API server's proxy) and faults."""
_MESH = tuple(
    Need(verb, resource, group)
    for group, resource in (
        ("", "secrets"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        *((_RBAC, f"{scope}{what}") for scope in ("", "cluster") for what in ("roles", "rolebindings")),
        *((_ADMISSION, f"{what}webhookconfigurations") for what in ("mutating", "validating")),
    )
    for verb in _WRITES
)
"""For a mesh that the lab installs."""


def needs(mesh: MeshProvider) -> tuple[Need, ...]:
    """The permissions that a lab with such a mesh needs."""
    return (*_GUEST, *_MESH) if mesh == "lab" else _GUEST
