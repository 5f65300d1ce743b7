"""The kinds that the lab's programs work with, and their URL paths. Pure.

This table is for clients; what the pocket API server serves is its own table.
"""

from dataclasses import dataclass
from urllib.parse import quote

from lab.kube.objects import Object


@dataclass(frozen=True)
class Kind:
    """One resource type: `group` is "" for core."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """The request path of the collection, an object or a subresource of it."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if sub:
            parts.append(sub)
        return "/" + "/".join(parts)


NAMESPACES = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
NODES = Kind("", "v1", "Node", "nodes", namespaced=False)
PODS = Kind("", "v1", "Pod", "pods")
SERVICES = Kind("", "v1", "Service", "services")
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints")
CONFIG_MAPS = Kind("", "v1", "ConfigMap", "configmaps")
SECRETS = Kind("", "v1", "Secret", "secrets")
PERSISTENT_VOLUME_CLAIMS = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE_ACCOUNTS = Kind("", "v1", "ServiceAccount", "serviceaccounts")
EVENTS = Kind("", "v1", "Event", "events")
DEPLOYMENTS = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SETS = Kind("apps", "v1", "ReplicaSet", "replicasets")
STATEFUL_SETS = Kind("apps", "v1", "StatefulSet", "statefulsets")
DAEMON_SETS = Kind("apps", "v1", "DaemonSet", "daemonsets")
CONTROLLER_REVISIONS = Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
JOBS = Kind("batch", "v1", "Job", "jobs")
ENDPOINT_SLICES = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
LEASES = Kind("coordination.k8s.io", "v1", "Lease", "leases")
ROLES = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLES = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
CRDS = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
MUTATING_WEBHOOKS = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    namespaced=False,
)
VALIDATING_WEBHOOKS = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
TOKEN_REVIEWS = Kind("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)
SELF_SUBJECT_ACCESS_REVIEWS = Kind(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)
SUBJECT_ACCESS_REVIEWS = Kind(
    "authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)
HTTP_ROUTES = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
GRPC_ROUTES = Kind("gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes")
LINKS = Kind("multicluster.linkerd.io", "v1alpha3", "Link", "links")
LINKS_2_14 = Kind("multicluster.linkerd.io", "v1alpha1", "Link", "links")
SERVERS = Kind("policy.linkerd.io", "v1beta3", "Server", "servers")
SERVER_AUTHORIZATIONS = Kind("policy.linkerd.io", "v1beta1", "ServerAuthorization", "serverauthorizations")
AUTHORIZATION_POLICIES = Kind("policy.linkerd.io", "v1alpha1", "AuthorizationPolicy", "authorizationpolicies")
MESH_TLS_AUTHENTICATIONS = Kind(
    "policy.linkerd.io", "v1alpha1", "MeshTLSAuthentication", "meshtlsauthentications"
)
NETWORK_AUTHENTICATIONS = Kind(
    "policy.linkerd.io", "v1alpha1", "NetworkAuthentication", "networkauthentications"
)
TRAFFIC_SPLITS = Kind("split.smi-spec.io", "v1alpha2", "TrafficSplit", "trafficsplits")
HTTP_FAULTS = Kind("fault.multicluster.lab", "v1alpha1", "HTTPFault", "httpfaults")
CERTIFICATE_FAULTS = Kind("fault.multicluster.lab", "v1alpha1", "CertificateFault", "certificatefaults")
POLICY_HTTP_ROUTES = Kind("policy.linkerd.io", "v1beta3", "HTTPRoute", "httproutes")

KNOWN = tuple(value for value in list(globals().values()) if isinstance(value, Kind))


def kind_of(obj: Object) -> Kind:
    """The Kind of an object of ours. Raises KeyError for kinds outside the table."""
    wanted = (str(obj["apiVersion"]), str(obj["kind"]))
    for kind in KNOWN:
        if (kind.api_version, kind.kind) == wanted:
            return kind
    raise KeyError(f"{wanted[0]} {wanted[1]}")
