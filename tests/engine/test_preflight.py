"""What `doctor` says about this machine, and the reason when namespaces are forbidden."""

import os

import pytest

from lab.engines.embedded import preflight
from lab.engines.embedded.preflight import why_no_namespaces


def test_every_need_is_looked_at_even_after_one_that_fails() -> None:
    needs = [finding.need for finding in preflight.preflight()]
    assert needs == ["namespaces", "nftables", "impaired links", "Envoy", "memory", "open files", "disk"]


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict_unprivileged_userns=0"),
    ],
)
def test_the_forbidding_setting_is_named_with_the_command_that_changes_it(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, remedy: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight, "_setting", lambda name: value if name == setting else "")
    finding = why_no_namespaces("Operation not permitted")
    assert setting.replace("/", ".") in finding.seen
    assert remedy in finding.remedy


def test_root_without_the_capability_is_told_about_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "CAP_SYS_ADMIN" in why_no_namespaces("Operation not permitted").seen
