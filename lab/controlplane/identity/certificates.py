"""X.509 of the mesh: trust anchors, issuers, signing requests and leaf certificates. Pure.

Called by the identity server, by workloads that ask it, and by the installer (anchor and issuers).
It decides what a valid request is; who may ask is the server's business.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCK_SKEW = timedelta(seconds=20)
LEAF_LIFE = timedelta(hours=24)
AUTHORITY_LIFE = timedelta(days=3650)
ISSUER_LIFE = timedelta(days=365)


class CsrRefused(ValueError):
    """A signing request that must not be signed; the text says why."""


@dataclass(frozen=True)
class Pair:
    """A certificate (first of a PEM chain) and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate)

    def private_key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.key, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"the key is {type(key).__name__}; the mesh signs with elliptic-curve keys only")
        return key

    def check(self) -> None:
        """Raise ValueError unless key and certificate belong together and the certificate is an authority."""
        certificate = self.parsed()
        if public_bytes(self.private_key().public_key()) != public_bytes(certificate.public_key()):
            raise ValueError("the private key does not belong to the certificate")
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            raise ValueError("the certificate is not an authority (basicConstraints CA is false)")


def public_bytes(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        raise ValueError(f"{type(key).__name__} is not a public key")
    encoded: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def trust_anchor(common_name: str, now: datetime, life: timedelta = AUTHORITY_LIFE) -> Pair:
    """A self-signed root of trust."""
    key = new_key()
    subject = _subject(common_name)
    certificate = _authority(key.public_key(), _Subjects(subject, subject), _validity(now, life), key)
    return Pair(certificate_pem(certificate), key_pem(key))


def issuer(common_name: str, anchor: Pair, now: datetime, life: timedelta = ISSUER_LIFE) -> Pair:
    """An intermediate authority of one cluster, signed by the trust anchor."""
    key = new_key()
    signer = anchor.parsed()
    subjects = _Subjects(_subject(common_name), signer.subject, path=0)
    certificate = _authority(key.public_key(), subjects, _validity(now, life), anchor.private_key())
    return Pair(certificate_pem(certificate), key_pem(key))


def is_signed_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    """Whether `root` issued the certificate, by name and by signature."""
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def why_not_now(certificate: x509.Certificate, now: datetime) -> str:
    """Why a certificate is not valid at this time, "" if it is: it has ended, or a clock is wrong."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        return f"expired at {end:%Y-%m-%dT%H:%M:%SZ}"
    if now < start:
        ahead = timedelta(seconds=round((start - now).total_seconds()))
        return (
            f"is not valid before {start:%Y-%m-%dT%H:%M:%SZ}, {ahead} from now: "
            "the clock that issued it is ahead, or the one here is behind"
        )
    return ""


def problem_of(chain: bytes, roots: bytes, name: str, now: datetime) -> str:
    """Why nobody who trusts `roots` believes that a PEM chain (leaf, issuer) is `name`'s: one of PROBLEMS of
    `lab.topology.fault_words`; "" if they do."""
    leaf, signer = x509.load_pem_x509_certificates(chain)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if not any(is_signed_by(signer, root) for root in x509.load_pem_x509_certificates(roots)):
        return "foreign-root"
    if name not in names.get_values_for_type(x509.DNSName):
        return "wrong-name"
    if now < leaf.not_valid_before_utc:
        return "not-yet-valid"
    return "expired" if now >= leaf.not_valid_after_utc else ""


def signing_request(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """A PEM request for the identity `name`."""
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .sign(key, hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM)


def check_request(pem: bytes, name: str) -> x509.CertificateSigningRequest:
    """The request in `pem` if it asks for exactly `name`, signed by its own key; else CsrRefused."""
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        raise CsrRefused(f"not a PEM signing request: {error}") from error
    try:
        valid = request.is_signature_valid
        key = request.public_key()
        extensions = {extension.oid: extension.value for extension in request.extensions}
    except (ValueError, InvalidSignature, x509.DuplicateExtension) as error:
        raise CsrRefused(f"the signing request is malformed: {error}") from error
    if not valid:
        raise CsrRefused("the signing request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CsrRefused(f"the key is {type(key).__name__}; use an elliptic-curve key (P-256)")
    _check_names(extensions.get(x509.SubjectAlternativeName.oid), name)
    constraints = extensions.get(x509.BasicConstraints.oid)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        raise CsrRefused(
            "the request asks for an authority (basicConstraints CA); only leaf certificates are issued"
        )
    subject = [str(item.value) for item in request.subject]
    if subject not in ([], [name]):
        raise CsrRefused(
            f"the subject is {request.subject.rfc4514_string()!r}; leave it empty or use CN={name}"
        )
    return request


def _check_names(names: x509.ExtensionType | None, name: str) -> None:
    if not isinstance(names, x509.SubjectAlternativeName):
        raise CsrRefused(f"the request has no subject alternative name; it must have one DNS name, {name}")
    seen = [str(item.value) for item in names]
    if len(seen) != 1 or not isinstance(next(iter(names)), x509.DNSName):
        raise CsrRefused(f"the request names {seen}; it must have exactly one DNS name, {name}")
    if seen[0] != name:
        raise CsrRefused(f"the request is for {seen[0]!r}, but the token belongs to {name!r}")


def sign(
    request: x509.CertificateSigningRequest, name: str, by: Pair, now: datetime, life: timedelta
) -> bytes:
    """A PEM chain (leaf, issuer) for a checked request. The leaf never outlives its issuer."""
    signer = by.parsed()
    start, end = _validity(now, life)
    end = min(end, signer.not_valid_after_utc)
    if end <= now:
        raise ValueError(f"the issuer certificate expired at {signer.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
    authority = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    leaf = (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(signer.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False
        )
        .sign(by.private_key(), hashes.SHA256())
    )
    return certificate_pem(leaf) + certificate_pem(signer)


def lifetime(chain: bytes) -> tuple[datetime, datetime]:
    """Start and end of the first certificate of a PEM chain."""
    leaf = x509.load_pem_x509_certificate(chain)
    return leaf.not_valid_before_utc, leaf.not_valid_after_utc


def _subject(common_name: str) -> x509.Name:
    # A common name holds at most 64 characters; longer identities live in the SAN alone.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if len(common_name) <= 64 else [])


def _validity(now: datetime, life: timedelta) -> tuple[datetime, datetime]:
    return now - CLOCK_SKEW, now + life + CLOCK_SKEW


@dataclass(frozen=True)
class _Subjects:
    """Whom an authority's certificate is for, who signs it, how many authorities may stand below it."""

    subject: x509.Name
    issuer: x509.Name
    path: int | None = None


def _authority(
    key: ec.EllipticCurvePublicKey,
    subjects: _Subjects,
    validity: tuple[datetime, datetime],
    signing_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subjects.subject)
        .issuer_name(subjects.issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.BasicConstraints(ca=True, path_length=subjects.path), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(signer_id, critical=False)
        .sign(signing_key, hashes.SHA256())
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
