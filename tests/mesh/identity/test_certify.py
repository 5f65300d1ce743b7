"""The identity service over TLS, as a workload uses it. Only the API server's token review is scripted."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from lab.base.errors import LabError
from lab.base.wait import until
from lab.controlplane.identity import certificates
from lab.controlplane.identity.authority import BadIssuer, issuer_of
from lab.controlplane.identity.client import CertifyError
from lab.controlplane.identity.names import TOKEN_AUDIENCE, workload_name
from lab.mesh.builtin.control_plane import issuer_secret
from tests.mesh.identity.conftest import NAME, Service


async def test_a_workload_gets_a_certificate_for_its_service_account(
    service: Service, tmp_path: Path
) -> None:
    credentials = await service.workload(tmp_path).obtain()
    leaf = x509.load_pem_x509_certificate(credentials.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]


async def test_keys_on_disk_are_readable_by_their_owner_only(service: Service, tmp_path: Path) -> None:
    await service.workload(tmp_path).obtain()
    files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


async def test_a_name_of_another_service_account_is_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(CertifyError, match="but the token belongs to"):
        await service.workload(tmp_path, workload_name("admin", "shop")).obtain()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param({"authenticated": False, "error": "token expired"}, "token expired", id="invalid token"),
        pytest.param(
            {
                "authenticated": True,
                "audiences": ["api"],
                "user": {"username": "system:serviceaccount:shop:front"},
            },
            "not meant for the audience",
            id="token for the API server",
        ),
        pytest.param(
            {"authenticated": True, "audiences": [TOKEN_AUDIENCE], "user": {"username": "admin"}},
            "no service account",
            id="a user's token",
        ),
    ],
)
async def test_a_token_that_proves_no_workload_is_refused(
    service: Service, tmp_path: Path, status: dict[str, Any], reason: str
) -> None:
    service.reviews.status = status
    with pytest.raises(CertifyError, match=reason):
        await service.workload(tmp_path).obtain()


async def test_a_service_that_the_trust_roots_do_not_vouch_for_is_not_asked(
    service: Service, tmp_path: Path
) -> None:
    workload = service.workload(tmp_path)
    (tmp_path / "roots.pem").write_bytes(certificates.trust_anchor("other", datetime.now(UTC)).certificate)
    with pytest.raises(CertifyError, match="CERTIFICATE_VERIFY_FAILED"):
        await workload.obtain()


async def test_changed_trust_roots_reach_the_files_without_a_new_certificate(
    service: Service, tmp_path: Path
) -> None:
    workload = service.workload(tmp_path)
    first = await workload.obtain()
    both = service.anchor.certificate + certificates.trust_anchor("next", datetime.now(UTC)).certificate
    (tmp_path / "roots.pem").write_bytes(both)
    workload.follow_roots()
    assert (tmp_path / "files" / "ca.pem").read_bytes() == both
    assert workload.require().certificate == first.certificate


async def test_renewal_is_due_at_seventy_percent_of_the_life(service: Service, tmp_path: Path) -> None:
    workload = service.workload(tmp_path)
    await workload.obtain()
    left = workload.renew_at() - datetime.now(UTC)
    assert timedelta(hours=16.7) < left < timedelta(hours=16.9)


async def test_a_short_lived_certificate_is_renewed_by_itself(service: Service, tmp_path: Path) -> None:
    service.authority.life = timedelta(seconds=-19)
    workload = service.workload(tmp_path)
    first = (await workload.obtain()).certificate
    renewing = asyncio.create_task(workload.run())

    async def renewed() -> bool:
        return workload.require().certificate != first

    await until(renewed, timeout=5, what="the certificate was renewed")
    renewing.cancel()


def test_an_issuer_of_another_anchor_is_refused_by_name() -> None:
    now = datetime.now(UTC)
    issuer = certificates.issuer("identity", certificates.trust_anchor("one", now), now)
    roots = certificates.trust_anchor("two", now).certificate
    with pytest.raises(BadIssuer, match="not signed by any of the trust roots"):
        issuer_of(issuer_secret(issuer), roots)


def test_an_issuer_with_a_foreign_key_is_refused() -> None:
    now = datetime.now(UTC)
    anchor = certificates.trust_anchor("one", now)
    issuer = certificates.issuer("identity", anchor, now)
    mixed = certificates.Pair(issuer.certificate, certificates.key_pem(certificates.new_key()))
    with pytest.raises(LabError, match="does not belong"):
        issuer_of(issuer_secret(mixed), anchor.certificate)


def test_an_issuer_from_a_clock_that_is_ahead_is_refused_with_the_difference() -> None:
    now = datetime.now(UTC)
    anchor = certificates.trust_anchor("one", now)
    issuer = certificates.issuer("identity", anchor, now + timedelta(hours=2))
    with pytest.raises(BadIssuer, match=r"not valid before .* 1:59:.* the clock that issued it is ahead"):
        issuer_of(issuer_secret(issuer), anchor.certificate)
