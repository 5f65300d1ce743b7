"""Acting as someone else (`kubectl --as`): the Impersonate-* headers, if the caller may use them.

http/server.py asks once per request, after authentication. Each impersonated name is authorized on its own
(verb `impersonate`), as upstream; a refused one is 403, never a request made as the caller.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from multidict import CIMultiDict, CIMultiDictProxy

from lab.pocket.apiserver.errors import bad_request

from .authenticate import ANONYMOUS, User
from .rbac import Authorizer, Question, denied

USER, GROUP, UID, EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATED = "system:authenticated"

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


def acting_user(caller: User, headers: Headers, authorizer: Authorizer) -> User:
    """The user that the request is made as. Raises 403 where the caller may not, 400 without a user."""
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in headers.items():
        if header.lower().startswith(EXTRA):
            key = unquote(header[len(EXTRA) :]).lower()
            extra[key] = (*extra.get(key, ()), value)
    groups = tuple(headers.getall(GROUP, ()))
    wanted = User(headers.get(USER, ""), groups, headers.get(UID, ""), extra)
    if not wanted.name:
        if groups or wanted.uid or extra:
            raise bad_request(f"groups, a uid or extra values are impersonated, but no user: add {USER}")
        return caller
    for question in _questions(wanted):
        if not authorizer.allowed(caller, question):
            raise denied(caller, question)
    return User(wanted.name, groups_of(wanted), wanted.uid, extra)


def groups_of(wanted: User) -> tuple[str, ...]:
    """The groups asked for, with those that every such user has."""
    if wanted.name == ANONYMOUS.name:
        return wanted.groups or ANONYMOUS.groups
    groups = wanted.groups
    if not groups and (account := _account(wanted.name)):
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    return groups if _AUTHENTICATED in groups else (*groups, _AUTHENTICATED)


def _questions(wanted: User) -> Iterator[Question]:
    if account := _account(wanted.name):
        yield Question("impersonate", "", "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Question("impersonate", "", "users", name=wanted.name)
    for group in wanted.groups:
        yield Question("impersonate", "", "groups", name=group)
    if wanted.uid:
        yield Question("impersonate", "authentication.k8s.io", "uids", name=wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield Question("impersonate", "authentication.k8s.io", "userextras", key, name=value)


def _account(name: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user name."""
    parts = name.removeprefix(_ACCOUNT).split(":") if name.startswith(_ACCOUNT) else []
    return (parts[0], parts[1]) if len(parts) == 2 else None
