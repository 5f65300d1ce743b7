"""Built-in admission: namespace lifecycle, accounts of pods, addresses of services, token Secrets, grants.

Called by the pipeline only. `mutate` may wait (a new namespace's default account), `finish` may not.
"""

import secrets

from lab.base.errors import TimedOut
from lab.base.wait import until
from lab.pocket.apiserver.auth import escalation
from lab.pocket.apiserver.auth.rbac import GROUP as RBAC
from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import Target, forbidden, not_found
from lab.pocket.apiserver.storage.record import Key, Object

from .services import assign
from .token_secrets import fill_token, fill_waiting

CERTIFICATE_REQUEST = ("certificates.k8s.io", "CertificateSigningRequest")
_ACCOUNT_WAIT = 1.5  # seconds for the service-account controller to make a new namespace's account
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


async def mutate(api: Api, call: Call, obj: Object, old: Object | None) -> None:
    if old is None:
        _check_namespace(api, call)
    if call.resource.kind == "Pod" and call.resource.group == "" and old is None:
        await _service_account(api, call, obj)
    if (call.resource.group, call.resource.kind) == CERTIFICATE_REQUEST:
        # Who asks is what the signer goes by, so it is not the client's to say or to change.
        obj["spec"] = {**obj.get("spec", {}), **call.user.info()} if old is None else old["spec"]


def finish(api: Api, call: Call, obj: Object, old: Object | None) -> None:
    """Assignments and checks that must be atomic with the store's write, after all waiting is done."""
    if call.subresource:
        return
    if call.resource.group == RBAC:
        escalation.check(api.authorizer, call, obj, old)
    if call.resource.group != "":
        return
    if call.resource.kind == "Service":
        assign(api, obj, old)
    elif call.resource.kind == "Secret":
        fill_token(api, obj)


def created(api: Api, call: Call, obj: Object) -> None:
    """What a committed create makes true for objects that waited for it."""
    if (call.resource.group, call.resource.kind) == ("", "ServiceAccount") and not call.dry_run:
        fill_waiting(api, call.namespace, obj["metadata"]["name"])


def _check_namespace(api: Api, call: Call) -> None:
    if not call.resource.namespaced or not call.namespace:
        return
    record = api.store.get(Key("/namespaces", "", call.namespace))
    if record is None:
        raise not_found(Target("namespaces", "", call.namespace, "Namespace"))
    if record.obj["metadata"].get("deletionTimestamp"):
        error = forbidden(
            call.resource.target(call.name),
            f"unable to create new content in namespace {call.namespace} because it is being terminated",
        )
        error.details["causes"] = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {call.namespace} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        raise error


async def _service_account(api: Api, call: Call, pod: Object) -> None:
    spec = pod["spec"]
    name = spec.get("serviceAccountName") or "default"
    key = Key("/serviceaccounts", call.namespace, name)

    async def exists() -> bool:
        return api.store.get(key) is not None

    try:
        await until(exists, timeout=_ACCOUNT_WAIT, what=f"service account {name}")
    except TimedOut:
        why = f'error looking up service account {call.namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(call.resource.target(pod["metadata"].get("name", "")), why) from None
    account = api.store.get(key)
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None and account is not None:
        wanted = account.obj.get("automountServiceAccountToken")
    if wanted is not False:
        _mount_token(spec)


def _mount_token(spec: Object) -> None:
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    lacking = [
        c
        for c in containers
        if isinstance(c, dict)
        and not any(m.get("mountPath") == _TOKEN_PATH for m in c.get("volumeMounts") or [])
    ]
    if not lacking:
        return
    volumes = spec.setdefault("volumes", [])
    name = next((v["name"] for v in volumes if str(v.get("name")).startswith("kube-api-access-")), "")
    if not name:
        name = "kube-api-access-" + "".join(secrets.choice(_SUFFIX) for _ in range(5))
        volumes.append(_token_volume(name))
    for container in lacking:
        mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_PATH}
        container.setdefault("volumeMounts", []).append(mount)


def _token_volume(name: str) -> Object:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
            ],
        },
    }
