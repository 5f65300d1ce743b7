"""Acting as someone else: only who may, and with the groups that such a user has."""

import pytest
from multidict import CIMultiDict

from lab.pocket.apiserver.auth.authenticate import User
from lab.pocket.apiserver.auth.impersonate import acting_user
from lab.pocket.apiserver.auth.rbac import Authorizer, Question
from lab.pocket.apiserver.errors import StatusError

CALLER = User("ann", ("devs", "system:authenticated"))


class Allowing(Authorizer):
    """Allows exactly the given questions."""

    def __init__(self, *questions: Question) -> None:
        self._questions = questions

    def allowed(self, user: User, question: Question) -> bool:
        return user == CALLER and question in self._questions


def test_without_headers_the_caller_stays_who_it_is() -> None:
    assert acting_user(CALLER, CIMultiDict(), Allowing()) is CALLER


def test_a_service_account_gets_its_groups() -> None:
    headers = CIMultiDict({"impersonate-user": "system:serviceaccount:shop:front"})
    allowing = Allowing(Question("impersonate", "", "serviceaccounts", namespace="shop", name="front"))
    assert acting_user(CALLER, headers, allowing).groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:shop",
        "system:authenticated",
    )


def test_each_group_and_extra_value_is_authorized_on_its_own() -> None:
    headers = CIMultiDict(
        [
            ("Impersonate-User", "bob"),
            ("Impersonate-Group", "devs"),
            ("Impersonate-Extra-Team%2Fname", "x"),
        ]
    )
    questions = [
        Question("impersonate", "", "users", name="bob"),
        Question("impersonate", "", "groups", name="devs"),
        Question("impersonate", "authentication.k8s.io", "userextras", "team/name", name="x"),
    ]
    user = acting_user(CALLER, headers, Allowing(*questions))
    assert (user.groups, user.extra) == (("devs", "system:authenticated"), {"team/name": ("x",)})
    for missing in questions:
        with pytest.raises(StatusError) as refused:
            acting_user(CALLER, headers, Allowing(*(q for q in questions if q != missing)))
        assert refused.value.code == 403


def test_groups_without_a_user_are_a_bad_request() -> None:
    with pytest.raises(StatusError, match="no user") as refused:
        acting_user(CALLER, CIMultiDict({"Impersonate-Group": "system:masters"}), Allowing())
    assert refused.value.code == 400
