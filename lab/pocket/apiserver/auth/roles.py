"""The RBAC objects of a fresh cluster. Pure data."""

from typing import Any

Object = dict[str, Any]

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_CORE_VIEW = [
    "configmaps", "endpoints", "pods", "pods/log", "pods/status", "services", "services/status",
    "serviceaccounts", "events", "namespaces",
]  # fmt: skip
_CORE_EDIT = [
    "configmaps", "endpoints", "pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy",
    "pods/eviction", "secrets", "services", "services/proxy", "serviceaccounts", "serviceaccounts/token",
    "events",
]  # fmt: skip
_WORKLOADS = ["deployments", "deployments/scale", "deployments/status", "replicasets", "replicasets/scale",
              "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status",
              "daemonsets", "daemonsets/status"]  # fmt: skip


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _paths(paths: list[str], verbs: list[str]) -> Object:
    return {"nonResourceURLs": paths, "verbs": verbs}


def _workload_rules(verbs: list[str]) -> list[Object]:
    return [
        _rule(["apps"], _WORKLOADS, verbs),
        _rule(["batch"], ["jobs", "jobs/status"], verbs),
        _rule(["discovery.k8s.io"], ["endpointslices"], _READ),
    ]


_VIEW = [_rule([""], _CORE_VIEW, _READ), *_workload_rules(_READ)]
_EDIT = [*_VIEW, _rule([""], _CORE_EDIT, _READ + _WRITE), *_workload_rules(_READ + _WRITE)]
_EDIT.append(_rule(["coordination.k8s.io"], ["leases"], _READ + _WRITE))
_ADMIN = [
    *_EDIT,
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
    "admin": _ADMIN,
    "edit": _EDIT,
    "view": _VIEW,
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
    roles = [
        {"kind": "ClusterRole", "metadata": {"name": name, "labels": dict(labels)}, "rules": rules}
        for name, rules in CLUSTER_ROLES.items()
    ]
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
