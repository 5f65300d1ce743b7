"""What an injected pod asks for: the config.linkerd.io annotations of pod and namespace, read once. Pure."""

from dataclasses import dataclass, field

from lab.kube.objects import Object, annotations

INJECT = "linkerd.io/inject"
CREATED_BY = "linkerd.io/created-by"
PROXY_CONTAINER = "linkerd-proxy"
INIT_CONTAINER = "linkerd-init"
SYSTEM_NAMESPACES = frozenset({"kube-system", "linkerd"})

OUTBOUND_PORT = 4140
INBOUND_PORT = 4143
ADMIN_PORT = 4191
CONTROL_PORT = 4190
# The mark of the proxy's own sockets, which the capture rules let pass.
PROXY_MARK = 0x539
# The mark of the sockets by which the proxy reaches its own app; those of PROXY_MARK that stay in the pod
# are calls of the app to its own Service and come in through the proxy like any other caller's.
APP_MARK = 0x53A


@dataclass(frozen=True)
class Config:
    """The injector's own configuration, the same for every pod of a cluster."""

    trust_anchors: str
    version: str = "latest"
    proxy_image: str = "multicluster.lab/proxy"
    init_image: str = "multicluster.lab/controlplane"
    default_inbound_policy: str = "all-unauthenticated"


@dataclass(frozen=True)
class Settings:
    """One pod's choices; a pod's annotation wins over its namespace's."""

    gateway: bool = False
    skip_inbound: str = ""
    skip_outbound: str = ""
    opaque: str = ""
    inbound_policy: str = ""
    log_level: str = "warn"
    native: bool = True
    extra: dict[str, str] = field(default_factory=dict)


def settings_of(pod: Object, namespace: Object, config: Config) -> Settings:
    """The settings of a pod in its namespace."""
    merged = {**annotations(namespace), **annotations(pod)}

    def setting(name: str, default: str = "") -> str:
        return merged.get(f"config.linkerd.io/{name}", default).strip()

    return Settings(
        gateway=setting("enable-gateway") == "true",
        skip_inbound=setting("skip-inbound-ports"),
        skip_outbound=setting("skip-outbound-ports"),
        opaque=setting("opaque-ports"),
        inbound_policy=setting("default-inbound-policy", config.default_inbound_policy),
        log_level=setting("proxy-log-level", "warn"),
        native=merged.get("config.alpha.linkerd.io/proxy-enable-native-sidecar", "true") != "false",
    )


def why_not(pod: Object, namespace: Object, namespace_name: str) -> str:
    """Why the pod stays as it is; "" if it is to be injected."""
    wanted = annotations(pod).get(INJECT) or annotations(namespace).get(INJECT) or "disabled"
    if wanted not in ("enabled", "ingress"):
        return f"{INJECT} is {wanted}"
    if namespace_name in SYSTEM_NAMESPACES:
        return f"pods of namespace {namespace_name} are never injected"
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return "the pod uses the host's network"
    names = [c.get("name") for part in ("containers", "initContainers") for c in spec.get(part) or []]
    if PROXY_CONTAINER in names or INIT_CONTAINER in names:
        return "the pod has a proxy already"
    if spec.get("automountServiceAccountToken") is False and not spec.get("serviceAccountName"):
        return "the pod has no service account, so it has no identity"
    return ""
