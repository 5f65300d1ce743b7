"""Kinds that are answered and never stored: token reviews and access reviews."""

from collections.abc import Callable

from lab.pocket.apiserver.admission.fields import check_fields
from lab.pocket.apiserver.auth.authenticate import User
from lab.pocket.apiserver.auth.rbac import Question
from lab.pocket.apiserver.auth.tokens import ISSUER
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import Cause, bad_request, invalid, invalid_value
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
        raise bad_request("token is required for TokenReview in authentication")
    verified = api.tokens.verify(token, audiences)
    if verified is None:
        return {"user": {}, "error": "token is invalid, expired, revoked or for another audience"}
    user = User(verified.username, verified.groups, verified.uid, verified.extra)
    return {"authenticated": True, "user": user.info(), "audiences": list(verified.audiences)}


def _self(api: Api, call: Call, spec: Object) -> Object:
    return {"userInfo": call.user.info()}


def _access(api: Api, call: Call, spec: Object) -> Object:
    user = User(str(spec.get("user") or ""), tuple(spec.get("groups") or ()))
    causes = _wrong_attributes(spec)
    if not user.name and not user.groups:
        causes.append(invalid_value("spec.user", "", "at least one of user or group must be specified"))
    about = spec.get("resourceAttributes") or {}
    if call.namespace and about.get("namespace") != call.namespace:
        text = "must match metadata.namespace"
        causes.append(invalid_value("spec.resourceAttributes.namespace", about.get("namespace") or "", text))
    return _decide(api, call, user, causes, spec)


def _self_access(api: Api, call: Call, spec: Object) -> Object:
    return _decide(api, call, call.user, _wrong_attributes(spec), spec)


def _wrong_attributes(spec: Object) -> list[Cause]:
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    if about and path:
        return [
            invalid_value(
                "spec.nonResourceAttributes",
                path,
                "cannot be specified in combination with resourceAttributes",
            )
        ]
    return [] if about or path else [invalid_value("spec.resourceAttributes", about, text)]


def _decide(api: Api, call: Call, user: User, causes: list[Cause], spec: Object) -> Object:
    if causes:
        raise invalid(call.resource.target(""), causes)
    about, path = spec.get("resourceAttributes") or {}, spec.get("nonResourceAttributes")
    if path:
        question = Question(str(path.get("verb", "")), path=str(path.get("path", "")))
    else:
        names = ("verb", "group", "resource", "subresource", "namespace", "name")
        question = Question(*(str(about.get(name) or "") for name in names))
    return {"allowed": api.authorizer.allowed(user, question)}


def _rules(api: Api, call: Call, spec: Object) -> Object:
    if not spec.get("namespace"):
        raise bad_request("no namespace on request")
    rules = list(api.authorizer.rules(call.user, str(spec["namespace"])))
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
