"""Secrets planted in every place of a lab that a bundle takes something from, each another one."""

import base64
import json
from typing import Any

PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"


def canary(place: str) -> str:
    """A value that occurs nowhere else, also not as a part of another."""
    return f"zq{place}7x9Q"


PLACES = (
    "data", "applied", "config", "pem", "kubeconfig", "annotation", "env", "argument", "flag", "log", "url",
    "bearer", "keylog", "echoed", "header", "file", "jwt",
)  # fmt: skip

JWT = f"eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.{canary('jwt')}"
SAYS = [
    f"password={canary('log')}",
    f"connecting to postgres://app:{canary('url')}@db:5432/shop",
    f"sent authorization: Bearer {canary('bearer')}abcdef",
    f"the secret is {canary('echoed')}",
    f"token {JWT}",
    PEM.format(canary("keylog")),
]


def manifest() -> list[dict[str, Any]]:
    """The file that the topology names, and which is applied with it."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "planted"}},
        _secret("from-file", {"value": canary("file")}),
    ]


def objects() -> list[dict[str, Any]]:
    """Applied by kubectl, which writes them into an annotation, too."""
    kubeconfig = f"users:\n- name: x\n  user:\n    client-key-data: {canary('kubeconfig')}\n"
    return [
        _secret("plain", {"value": canary("data"), "echoed": canary("echoed"), "other": canary("applied")}),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "settings",
                "namespace": "planted",
                "annotations": {"example.com/note": f"api-key: {canary('annotation')}"},
            },
            "data": {
                "db.properties": f"user=app\ndb.password={canary('config')}\n",
                "key.pem": PEM.format(canary("pem")),
                "kubeconfig": kubeconfig,
            },
        },
        _pod(),
        _route(),
    ]


def _secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": "planted"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def _pod() -> dict[str, Any]:
    script = (
        "import json,sys; [print(x, flush=True) for x in json.load(open('/says/says'))]; sys.stdin.read()"
    )
    container = {
        "name": "talker",
        "image": "talker",
        "stdin": True,
        "command": [
            "python3",
            "-c",
            script,
            "--auth-token",
            canary("argument"),
            f"--api-key={canary('flag')}",
        ],
        "env": [{"name": "DB_PASSWORD", "value": canary("env")}],
        "volumeMounts": [{"name": "says", "mountPath": "/says"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "talker", "namespace": "planted"},
        "spec": {"containers": [container], "volumes": [{"name": "says", "secret": {"secretName": "says"}}]},
    }


def says() -> dict[str, Any]:
    """What the pod prints; a Secret, so that it stands nowhere else."""
    return _secret("says", {"says": json.dumps(SAYS)})


def _route() -> dict[str, Any]:
    """A route whose header is in the configuration of west's proxies."""
    header = {"name": "Authorization", "value": f"Basic {canary('header')}"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "planted", "namespace": "shop"},
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": "catalog", "port": 9000}],
            "rules": [
                {
                    "filters": [
                        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}}
                    ],
                    "backendRefs": [{"name": "catalog", "port": 9000}],
                }
            ],
        },
    }
