"""What the authority signs and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.controlplane.identity import certificates
from lab.controlplane.identity.certificates import CsrRefused, Pair, check_request, lifetime, sign

NAME = "front.shop.serviceaccount.identity.linkerd.cluster.local"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def anchor() -> Pair:
    return certificates.trust_anchor("root.linkerd.cluster.local", NOW)


@pytest.fixture(scope="module")
def issuer(anchor: Pair) -> Pair:
    return certificates.issuer("identity.linkerd.cluster.local", anchor, NOW)


def request(*names: x509.GeneralName, subject: str = "", authority: bool = False, key=None) -> bytes:
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = builder.sign(key or certificates.new_key(), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def tampered() -> bytes:
    good = x509.load_pem_x509_csr(request(x509.DNSName(NAME))).public_bytes(serialization.Encoding.DER)
    bad = good[:-1] + bytes([good[-1] ^ 1])
    return x509.load_der_x509_csr(bad).public_bytes(serialization.Encoding.PEM)


OTHER = "admin.shop.serviceaccount.identity.linkerd.cluster.local"
HOSTILE = {
    "not PEM": (lambda: b"hello", "not a PEM"),
    "no name": (lambda: request(), "no subject alternative name"),
    "another workload's name": (lambda: request(x509.DNSName(OTHER)), "belongs to"),
    "a second name": (lambda: request(x509.DNSName(NAME), x509.DNSName(OTHER)), "exactly one"),
    "a wildcard": (
        lambda: request(x509.DNSName("*.serviceaccount.identity.linkerd.cluster.local")),
        "belongs to",
    ),
    "a URI beside the name": (
        lambda: request(x509.DNSName(NAME), x509.UniformResourceIdentifier("spiffe://x/y")),
        "exactly one",
    ),
    "a URI that reads like the name": (lambda: request(x509.UniformResourceIdentifier(NAME)), "exactly one"),
    "an authority": (lambda: request(x509.DNSName(NAME), authority=True), "authority"),
    "another subject": (lambda: request(x509.DNSName(NAME), subject="linkerd-identity"), "subject"),
    "a broken signature": (tampered, "not signed by its own key"),
    "an RSA key": (
        lambda: request(x509.DNSName(NAME), key=rsa.generate_private_key(65537, 2048)),
        "elliptic-curve",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_request_is_refused_with_its_reason(case: str) -> None:
    make, reason = HOSTILE[case]
    with pytest.raises(CsrRefused, match=reason):
        check_request(make(), NAME)


def test_a_signed_leaf_chains_to_the_anchor_and_carries_the_one_name(anchor: Pair, issuer: Pair) -> None:
    checked = check_request(certificates.signing_request(certificates.new_key(), NAME), NAME)
    chain = x509.load_pem_x509_certificates(sign(checked, NAME, issuer, NOW, timedelta(hours=24)))
    chain[0].verify_directly_issued_by(chain[1])
    chain[1].verify_directly_issued_by(anchor.parsed())
    names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]


def test_a_leaf_is_backdated_by_the_clock_skew_allowance(issuer: Pair) -> None:
    checked = check_request(certificates.signing_request(certificates.new_key(), NAME), NAME)
    start, end = lifetime(sign(checked, NAME, issuer, NOW, timedelta(hours=24)))
    assert (NOW - start, end - NOW) == (timedelta(seconds=20), timedelta(hours=24, seconds=20))


def test_a_leaf_never_outlives_its_issuer(anchor: Pair) -> None:
    short = certificates.issuer("short", anchor, NOW, timedelta(hours=1))
    checked = check_request(certificates.signing_request(certificates.new_key(), NAME), NAME)
    _, end = lifetime(sign(checked, NAME, short, NOW, timedelta(hours=24)))
    assert end == short.parsed().not_valid_after_utc


def test_an_expired_issuer_signs_nothing(issuer: Pair) -> None:
    checked = check_request(certificates.signing_request(certificates.new_key(), NAME), NAME)
    with pytest.raises(ValueError, match="expired"):
        sign(checked, NAME, issuer, NOW + timedelta(days=500), timedelta(hours=24))
