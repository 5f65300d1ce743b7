"""The RBAC objects of a fresh cluster. Pure data."""

from typing import Any

Object = dict[str, Any]

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_VIEWED: dict[str, list[str]] = {
    "": [
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "namespaces",
        "namespaces/status",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "pods/log",
        "pods/status",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "replicationcontrollers/status",
        "resourcequotas",
        "resourcequotas/status",
        "serviceaccounts",
        "services",
        "services/status",
    ],
    "apps": [
        "controllerrevisions",
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
        "statefulsets",
        "statefulsets/scale",
        "statefulsets/status",
    ],
    "autoscaling": ["horizontalpodautoscalers", "horizontalpodautoscalers/status"],
    "batch": ["cronjobs", "cronjobs/status", "jobs", "jobs/status"],
    "discovery.k8s.io": ["endpointslices"],
    "networking.k8s.io": ["ingresses", "ingresses/status", "networkpolicies"],
    "policy": ["poddisruptionbudgets", "poddisruptionbudgets/status"],
}
_READ_TO_EDIT = [
    "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy",
]  # fmt: skip
_EDITED: dict[str, list[str]] = {
    "": [
        "configmaps", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/exec",
        "pods/portforward", "pods/proxy", "replicationcontrollers", "replicationcontrollers/scale", "secrets",
        "serviceaccounts", "services", "services/proxy",
    ],
    "apps": [
        "daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
        "statefulsets/scale",
    ],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
}  # fmt: skip


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _paths(paths: list[str], verbs: list[str]) -> Object:
    return {"nonResourceURLs": paths, "verbs": verbs}


# What each role adds to the one before it; custom kinds add theirs by label.
_VIEW = [_rule([group], resources, _READ) for group, resources in _VIEWED.items()]
_EDIT = [
    _rule([""], _READ_TO_EDIT, _READ),
    _rule([""], ["serviceaccounts"], ["impersonate"]),
    _rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
    *(_rule([group], resources, _WRITE) for group, resources in _EDITED.items()),
    _rule(["coordination.k8s.io"], ["leases"], _READ + _WRITE),
]
_ADMIN = [
    _rule(["rbac.authorization.k8s.io"], ["roles", "rolebindings"], _READ + _WRITE),
    _rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
]
_NODE = [
    _rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
    _rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    _rule([""], ["services", "endpoints", "configmaps", "secrets", "namespaces", "serviceaccounts"], _READ),
    _rule([""], ["nodes", "nodes/status", "pods", "pods/status", "events"], _READ + _WRITE),
    _rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
    _rule(["events.k8s.io"], ["events"], _WRITE),
    _rule(["coordination.k8s.io"], ["leases"], _READ + _WRITE),
    _rule(["discovery.k8s.io"], ["endpointslices"], _READ),
]
_DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/healthz", "/livez", "/readyz",
              "/version", "/version/", "/"]  # fmt: skip
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_SELF_REVIEWS = [
    _rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
]

CLUSTER_ROLES: dict[str, list[Object]] = {
    "cluster-admin": [_rule(["*"], ["*"], ["*"]), _paths(["*"], ["*"])],
    "admin": [*_ADMIN, *_EDIT, *_VIEW],
    "edit": [*_EDIT, *_VIEW],
    "view": _VIEW,
    "system:aggregate-to-admin": _ADMIN,
    "system:aggregate-to-edit": _EDIT,
    "system:aggregate-to-view": _VIEW,
    "system:node": _NODE,
    # The lab's controllers run in one program with one identity, so one role stands for upstream's many.
    "system:kube-controller-manager": [_rule(["*"], ["*"], ["*"]), _paths(["*"], ["get"])],
    "system:discovery": [_paths(_DISCOVERY, ["get", "head"])],
    "system:public-info-viewer": [_paths(_PUBLIC, ["get", "head"])],
    "system:basic-user": _SELF_REVIEWS,
    "system:service-account-issuer-discovery": [_paths(["/.well-known/openid-configuration"], ["get"])],
    "system:auth-delegator": [
        _rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
        _rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ],
}

_LABELS: dict[str, tuple[str, ...]] = {  # role -> the roles that its rules are to be found in
    "system:aggregate-to-admin": ("admin",),
    "system:aggregate-to-edit": ("edit",),
    "system:aggregate-to-view": ("view",),
    "edit": ("admin",),
    "view": ("edit",),
}
_AGGREGATED = ("admin", "edit", "view")

_GROUPS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "cluster-admin": ("cluster-admin", [("Group", "system:masters")]),
    "system:node": ("system:node", [("Group", "system:nodes")]),
    "system:kube-controller-manager": (
        "system:kube-controller-manager",
        [("User", "system:kube-controller-manager")],
    ),
    "system:discovery": ("system:discovery", [("Group", "system:authenticated")]),
    "system:basic-user": ("system:basic-user", [("Group", "system:authenticated")]),
    "system:public-info-viewer": (
        "system:public-info-viewer",
        [("Group", "system:authenticated"), ("Group", "system:unauthenticated")],
    ),
    "system:service-account-issuer-discovery": (
        "system:service-account-issuer-discovery",
        [("Group", "system:serviceaccounts")],
    ),
}


def default_objects() -> list[Object]:
    """ClusterRoles first, then the ClusterRoleBindings to them."""
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    roles = [_role(name, rules, labels) for name, rules in CLUSTER_ROLES.items()]
    group = "rbac.authorization.k8s.io"
    bindings = [
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": dict(labels)},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": kind, "name": subject, "apiGroup": group} for kind, subject in subjects],
        }
        for name, (role, subjects) in _GROUPS.items()
    ]
    return [*roles, *bindings]


def _role(name: str, rules: list[Object], labels: Object) -> Object:
    own = {f"{_AGGREGATE}{role}": "true" for role in _LABELS.get(name, ())}
    role: Object = {
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {**labels, **own}},
        "rules": rules,
    }
    if name in _AGGREGATED:
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {f"{_AGGREGATE}{name}": "true"}}]}
    return role
