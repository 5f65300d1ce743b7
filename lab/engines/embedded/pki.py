"""A cluster's keys and certificates: its authority, its API server, its clients, service-account signing.

Made once per cluster and kept beside its store, so that kubeconfigs and tokens stay good over `down` and
`up`. The serving certificate is made anew when a name or address it must carry has changed.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.base.state import make_private, write_private
from lab.plan.addresses import ClusterPlan

LIFETIME = datetime.timedelta(days=3650)
SKEW = datetime.timedelta(hours=1)
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key


@dataclass(frozen=True)
class Subject:
    """Whom a certificate is for: a user with groups, or a server with names."""

    name: str
    groups: tuple[str, ...] = ()
    server_names: tuple[str, ...] = ()


def ensure(folder: Path, plan: ClusterPlan) -> None:
    """Make what is missing in a cluster's pki folder."""
    make_private(folder)
    ca = _authority(folder, plan.name)
    server = Subject("kube-apiserver", server_names=server_names(plan))
    _ensure_issued(folder, "apiserver", ca, server)
    _ensure_issued(folder, "admin", ca, Subject("kubernetes-admin", ("system:masters",)))
    node = Subject(f"system:node:{plan.node_name}", ("system:nodes", "system:masters"))
    _ensure_issued(folder, "node", ca, node)
    if not (folder / "sa.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(folder / "sa.pub", _public(key))
        write_private(folder / "sa.key", _private(key))


def server_names(plan: ClusterPlan) -> tuple[str, ...]:
    """Every name and address under which the API server is called."""
    service = "kubernetes.default.svc"
    names = ("localhost", "kubernetes", "kubernetes.default", service, f"{service}.{plan.cluster_domain}")
    return (*names, "127.0.0.1", plan.node_ip, plan.api_service_ip)


def _authority(folder: Path, cluster: str) -> Pair:
    if (folder / "ca.key").exists() and (folder / "ca.crt").exists():
        return _load(folder, "ca")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{cluster}-ca")])
    certificate = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _store(folder, "ca", Pair(certificate, key))


def _ensure_issued(folder: Path, stem: str, ca: Pair, subject: Subject) -> None:
    if (folder / f"{stem}.key").exists() and (folder / f"{stem}.crt").exists():
        have = _load(folder, stem).certificate
        if _names_in(have) == set(subject.server_names) and have.issuer == ca.certificate.subject:
            return
    _store(folder, stem, _issue(ca, subject))


def _issue(ca: Pair, subject: Subject) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    name = x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, subject.name)])
    use = ExtendedKeyUsageOID.SERVER_AUTH if subject.server_names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(name, ca.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False
        )
    )
    if subject.server_names:
        names = [_general_name(n) for n in subject.server_names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_in(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    found: Sequence[x509.GeneralName] = list(names)
    return {str(name.value) for name in found}


def _store(folder: Path, stem: str, pair: Pair) -> Pair:
    """The key goes last: a folder with a key has its certificate too."""
    write_private(folder / f"{stem}.crt", pair.certificate.public_bytes(serialization.Encoding.PEM))
    write_private(folder / f"{stem}.key", _private(pair.key))
    return pair


def _load(folder: Path, stem: str) -> Pair:
    key = serialization.load_pem_private_key((folder / f"{stem}.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / stem}.key is not an elliptic-curve key")
    return Pair(x509.load_pem_x509_certificate((folder / f"{stem}.crt").read_bytes()), key)


def _private(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(key: Key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
