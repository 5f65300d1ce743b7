"""The lab's certificates: one trust anchor per lab on disk, one issuer per cluster in its Secret.

All clusters of a lab share the anchor, or their workloads could not trust each other. An issuer that is still
good is kept, so that installing again changes nothing.
"""

import base64
from datetime import UTC, datetime, timedelta

from cryptography import x509

from lab.base.errors import LabError
from lab.base.state import LabDir, make_private, write_private
from lab.controlplane.identity.certificates import (
    Pair,
    is_signed_by,
    issuer,
    trust_anchor,
    why_not_now,
)
from lab.kube.objects import Object

ANCHOR_NAME = "root.linkerd.cluster.local"
ISSUER_NAME = "identity.linkerd.cluster.local"
RENEW_BEFORE = timedelta(days=30)


def lab_anchor(lab: LabDir) -> Pair:
    """The lab's trust anchor; made at the first call. Raises LabError if the files are damaged."""
    certificate, key = lab.pki / "trust-anchor.crt", lab.pki / "trust-anchor.key"
    if certificate.exists() and key.exists():
        pair = Pair(certificate.read_bytes(), key.read_bytes())
        try:
            pair.check()
        except (ValueError, x509.ExtensionNotFound) as error:
            raise LabError(
                f"the trust anchor in {lab.pki} is damaged: {error}", remedy="`inv down`, then `inv up`"
            ) from error
        return pair
    make_private(lab.pki)
    pair = trust_anchor(ANCHOR_NAME, datetime.now(UTC))
    write_private(key, pair.key)
    write_private(certificate, pair.certificate)
    return pair


def new_issuer(anchor: Pair) -> Pair:
    """An issuer for one cluster."""
    return issuer(ISSUER_NAME, anchor, datetime.now(UTC))


def trusts(roots: Object, anchor: Pair) -> bool:
    """Whether the trust roots in a ConfigMap include the anchor."""
    return anchor.certificate.decode().strip() in str((roots.get("data") or {}).get("ca-bundle.crt", ""))


def is_good(secret: Object | None, anchor: Pair, fields: tuple[str, str]) -> bool:
    """Whether the pair in a Secret belongs together, chains to the anchor, is valid and does not end soon."""
    data = (secret or {}).get("data") or {}
    try:
        pair = Pair(base64.b64decode(data[fields[0]]), base64.b64decode(data[fields[1]]))
    except (KeyError, ValueError, TypeError):
        return False
    return is_good_pair(pair, anchor)


def is_good_pair(pair: Pair, anchor: Pair) -> bool:
    """The same of a pair."""
    try:
        certificate = pair.parsed()
        if pair.private_key().public_key() != certificate.public_key():
            return False
    except ValueError:
        return False
    now = datetime.now(UTC)
    is_valid = not why_not_now(certificate, now) and certificate.not_valid_after_utc > now + RENEW_BEFORE
    return is_valid and is_signed_by(certificate, anchor.parsed())
