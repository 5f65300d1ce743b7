"""Kinds that are answered and never stored: token reviews and access reviews."""

from collections.abc import Callable

from lab.pocket.apiserver.admission.fields import check_fields
from lab.pocket.apiserver.auth.authenticate import User
from lab.pocket.apiserver.auth.rbac import Question
from lab.pocket.apiserver.auth.tokens import ISSUER
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import bad_request
from lab.pocket.apiserver.http.body import decode_object
from lab.pocket.apiserver.storage.record import Object

from .objects import check_type


async def create(api: Api, call: Call) -> Answer:
    body = decode_object(call.body, call.content_type)
    check_type(call.resource, body)
    await check_fields(api, call, body)
    status = _REVIEWS[call.resource.kind](api, call, body.get("spec") or {})
    body["metadata"].setdefault("creationTimestamp", None)
    return Answer({**body, "status": status}, 201, call.resource)


def _token_review(api: Api, call: Call, spec: Object) -> Object:
    audiences = tuple(spec.get("audiences") or (ISSUER,))
    token = spec.get("token")
    if not isinstance(token, str) or not token:
        raise bad_request("token review: spec.token is required")
    verified = api.tokens.verify(token, audiences)
    if verified is None:
        return {"user": {}, "error": "token is invalid, expired, revoked or for another audience"}
    user = User(verified.username, verified.groups, verified.uid, verified.extra)
    return {"authenticated": True, "user": user.info(), "audiences": list(verified.audiences)}


def _self(api: Api, call: Call, spec: Object) -> Object:
    return {"userInfo": call.user.info()}


def _access(api: Api, call: Call, spec: Object) -> Object:
    user = User(str(spec.get("user", "")), tuple(spec.get("groups") or ()))
    return _decide(api, user, spec, call.namespace)


def _self_access(api: Api, call: Call, spec: Object) -> Object:
    return _decide(api, call.user, spec, "")


def _decide(api: Api, user: User, spec: Object, namespace: str) -> Object:
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if not about and not path:
        raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if path:
        question = Question(str(path.get("verb", "")), path=str(path.get("path", "")))
    else:
        about = about or {}
        question = Question(
            str(about.get("verb", "")),
            str(about.get("group", "")),
            str(about.get("resource", "")),
            str(about.get("subresource", "")),
            namespace or str(about.get("namespace", "")),
            str(about.get("name", "")),
        )
    allowed = api.authorizer.allowed(user, question)
    return {"allowed": allowed, "reason": "" if allowed else f'no RBAC rule lets "{user.name}" do this'}


def _rules(api: Api, call: Call, spec: Object) -> Object:
    namespace = str(spec.get("namespace", "")) or "default"
    rules = list(api.authorizer.rules(call.user, namespace))
    if "system:masters" in call.user.groups:
        rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    return {
        "incomplete": False,
        "resourceRules": [r for r in rules if r.get("resources")],
        "nonResourceRules": [
            {"verbs": r["verbs"], "nonResourceURLs": r["nonResourceURLs"]}
            for r in rules
            if r.get("nonResourceURLs")
        ],
    }


_REVIEWS: dict[str, Callable[[Api, Call, Object], Object]] = {
    "TokenReview": _token_review,
    "SelfSubjectReview": _self,
    "SubjectAccessReview": _access,
    "LocalSubjectAccessReview": _access,
    "SelfSubjectAccessReview": _self_access,
    "SelfSubjectRulesReview": _rules,
}
