"""Who is calling: client certificate, bearer token, or nobody (system:anonymous).

http/server.py asks once per request. A wrong credential is 401, a missing one is anonymous, exactly
as upstream: authorization then decides what anonymous may do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.pocket.apiserver.errors import unauthorized

from .tokens import Tokens


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        """authentication.k8s.io UserInfo."""
        found: dict[str, Any] = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            found["uid"] = self.uid
        if self.extra:
            found["extra"] = {key: list(values) for key, values in self.extra.items()}
        return found


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def from_certificate(peer: Mapping[str, Any]) -> User:
    """The subject of a verified client certificate: CN is the user, each O a group."""
    name, groups = "", []
    for part in peer.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    if not name:
        raise unauthorized()
    return User(name, (*groups, "system:authenticated"))


class Authenticator:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def identify(self, authorization: str, peer: Mapping[str, Any] | None) -> User:
        if peer:
            return from_certificate(peer)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ANONYMOUS
        verified = self._tokens.verify(token.strip())
        if verified is None:
            raise unauthorized()
        return User(verified.username, verified.groups, verified.uid, verified.extra)
