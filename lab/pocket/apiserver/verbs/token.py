"""serviceaccounts/token: TokenRequest, optionally bound to a pod."""

from datetime import UTC, datetime

from lab.pocket.apiserver.auth.tokens import ISSUER, Wanted
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import Target, bad_request, conflict, invalid, invalid_value, not_found
from lab.pocket.apiserver.http.body import decode_object
from lab.pocket.apiserver.storage.record import Key, Object

from .objects import find

_DEFAULT_SECONDS = 3600
_MIN_SECONDS = 600


async def create(api: Api, call: Call) -> Answer:
    account = find(api, call)
    body = decode_object(call.body, call.content_type)
    spec = body.get("spec") or {}
    seconds = spec.get("expirationSeconds") or _DEFAULT_SECONDS
    if not isinstance(seconds, int) or seconds < _MIN_SECONDS:
        cause = invalid_value(
            "spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"
        )
        raise invalid(Target("tokenrequests", "authentication.k8s.io", "", "TokenRequest"), [cause])
    audiences = tuple(spec.get("audiences") or (ISSUER,))
    reference = spec.get("boundObjectRef")
    wanted = Wanted(
        call.namespace,
        call.name,
        account.obj["metadata"]["uid"],
        audiences,
        seconds,
        _pod(api, call, reference) if reference else None,
    )
    token, expiry = api.tokens.issue(wanted)
    stamp = datetime.fromtimestamp(expiry, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer: Object = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": call.name, "namespace": call.namespace},
        "spec": {"audiences": list(audiences), "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {"token": token, "expirationTimestamp": stamp},
    }
    return Answer(answer, 201)


def _pod(api: Api, call: Call, reference: Object) -> tuple[str, str]:
    kind, name = reference.get("kind"), str(reference.get("name", ""))
    if kind != "Pod":
        raise bad_request(f"cannot bind token to object of type {kind}; only Pod is supported")
    record = api.store.get(Key("/pods", call.namespace, name))
    if record is None:
        raise not_found(Target("pods", "", name))
    uid = record.obj["metadata"]["uid"]
    if reference.get("uid") and reference["uid"] != uid:
        raise conflict(
            Target("pods", "", name),
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated",
        )
    if (record.obj.get("spec") or {}).get("serviceAccountName") != call.name:
        raise bad_request(
            f'cannot bind token for serviceaccount "{call.name}" to pod running with different '
            f"serviceaccount name."
        )
    return name, uid
