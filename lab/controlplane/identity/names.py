"""The names of workloads, services and trust domains in the mesh. Pure.

Every component derives these the same way from a service account, so they stand in one place.
"""

import re

LINKERD_NAMESPACE = "linkerd"
TRUST_DOMAIN = "cluster.local"
CLUSTER_DOMAIN = "cluster.local"
TOKEN_AUDIENCE = "identity.l5d.io"
IDENTITY_PORT = 8080

_USERNAME = re.compile(r"^system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)$")


def workload_name(service_account: str, namespace: str, trust_domain: str = TRUST_DOMAIN) -> str:
    """The identity of the pods of a service account, as it stands in their certificates."""
    return f"{service_account}.{namespace}.serviceaccount.identity.{LINKERD_NAMESPACE}.{trust_domain}"


def workload_name_of_user(username: str, trust_domain: str = TRUST_DOMAIN) -> str:
    """The identity that a token's user name stands for; "" if it is no service account."""
    match = _USERNAME.match(username)
    return workload_name(match[2], match[1], trust_domain) if match else ""


def control_plane_name(component: str, trust_domain: str = TRUST_DOMAIN) -> str:
    """The identity of `linkerd-identity`, `linkerd-destination` and their like."""
    return workload_name(component, LINKERD_NAMESPACE, trust_domain)


def control_plane_host(component: str, cluster_domain: str = CLUSTER_DOMAIN) -> str:
    return f"{component}.{LINKERD_NAMESPACE}.svc.{cluster_domain}"
