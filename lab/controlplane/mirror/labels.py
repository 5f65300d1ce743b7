"""The label and annotation keys of multicluster Linkerd, each under one name. Pure."""

MIRROR_PREFIX = "mirror.linkerd.io"
MIRRORED_SERVICE = "mirror.linkerd.io/mirrored-service"
MIRRORED_GATEWAY = "mirror.linkerd.io/mirrored-gateway"
CLUSTER_NAME = "mirror.linkerd.io/cluster-name"
REMOTE_RESOURCE_VERSION = "mirror.linkerd.io/remote-resource-version"
REMOTE_FQ_NAME = "mirror.linkerd.io/remote-svc-fq-name"
REMOTE_GATEWAY_IDENTITY = "mirror.linkerd.io/remote-gateway-identity"
GATEWAY_IDENTITY = "mirror.linkerd.io/gateway-identity"
HEADLESS_MIRROR = "mirror.linkerd.io/headless-mirror-svc-name"
EXPORTED = "mirror.linkerd.io/exported"
FEDERATED = "mirror.linkerd.io/federated"

REMOTE_DISCOVERY = "multicluster.linkerd.io/remote-discovery"
REMOTE_SERVICE = "multicluster.linkerd.io/remote-service"
LOCAL_DISCOVERY = "multicluster.linkerd.io/local-discovery"

NEVER_COPIED_ANNOTATIONS = frozenset(
    {"service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"}
)
