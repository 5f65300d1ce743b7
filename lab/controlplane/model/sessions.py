"""Session persistence of a route rule. Pure."""

from hashlib import blake2b

from lab.controlplane.model.ir import Match, Session
from lab.controlplane.model.services import seconds
from lab.kube.objects import Object


def session_of(rule: Object, name: str, match: Match) -> Session | None:
    """What ties a client to an endpoint; `name` of the rule gives a session its name where it states none.

    A cookie is valid below the path that the rule matches, so that rules do not see each other's.
    """
    stated = rule.get("sessionPersistence")
    if not stated:
        return None
    digest = blake2b(name.encode(), digest_size=6).hexdigest()
    return Session(
        name=str(stated.get("sessionName") or f"session-{digest}"),
        header=stated.get("type") == "Header",
        lifetime=seconds(str(stated.get("absoluteTimeout") or "")),
        path="/" if match.path_kind == "regex" else match.path,
    )
