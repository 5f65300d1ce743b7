"""Says whether clusters can trust each other: issuers, trust anchors, and the clocks they were made by.
Pure.

Every other sign of it (a dead probe, refused connections) names an effect only, so these problems name the
cause. A cluster whose API server does not answer is not judged.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lab.controlplane.identity.certificates import is_signed_by, why_not_now
from lab.kube.links import link_target
from lab.observe.facts import Observation, Trust
from lab.observe.state import Problem

_ISSUER = "Secret linkerd/linkerd-identity-issuer"
_ANCHORS = "ConfigMap linkerd/linkerd-identity-trust-roots"


def problems(seen: Observation) -> Iterator[Problem]:
    """What is wrong with each cluster's certificates, then with each pair of linked clusters."""
    now = datetime.fromtimestamp(seen.time, UTC)
    known: dict[str, _Trusted] = {}
    for name, facts in seen.kube.items():
        if facts.trust is None:
            continue
        where = f"cluster {name}"
        try:
            known[name] = _Trusted(facts.trust)
        except ValueError as error:
            yield Problem(
                where, f"its certificates cannot be read: {error} ({_ISSUER}, {_ANCHORS})", "lab up"
            )
        else:
            yield from _own(where, known[name], now)
    for first, second in sorted(_linked(seen)):
        if first in known and second in known:
            yield from _between(first, second, known)


class _Trusted:
    """One cluster's parsed certificates."""

    def __init__(self, trust: Trust) -> None:
        self.anchors = x509.load_pem_x509_certificates(trust.anchors.encode())
        self.issuer = x509.load_pem_x509_certificate(trust.issuer.encode())

    def trusts(self, issuer: x509.Certificate) -> bool:
        return any(is_signed_by(issuer, anchor) for anchor in self.anchors)


def _own(where: str, cluster: _Trusted, now: datetime) -> Iterator[Problem]:
    if wrong := why_not_now(cluster.issuer, now):
        yield Problem(where, f"the issuer certificate {wrong} ({_ISSUER})", "lab up")
    if not cluster.trusts(cluster.issuer):
        what = f"its issuer is not signed by any of its own trust anchors ({_ISSUER}, {_ANCHORS})"
        yield Problem(where, what, "lab up")
    for anchor in cluster.anchors:
        if is_signed_by(cluster.issuer, anchor) and (wrong := why_not_now(anchor, now)):
            yield Problem(where, f"the trust anchor {_title(anchor)} {wrong} ({_ANCHORS})", "lab up")


def _between(first: str, second: str, known: dict[str, _Trusted]) -> Iterator[Problem]:
    for one, other in ((first, second), (second, first)):
        if known[one].trusts(known[other].issuer) or not known[other].trusts(known[other].issuer):
            continue  # or it is a problem of the other alone, and listed as such
        anchors = ", ".join(map(_title, known[one].anchors))
        what = (
            f"{one} does not trust the certificates of {other}: none of its trust anchors ({anchors}) "
            f"signed the issuer of {other}; connections between them end in the TLS handshake"
        )
        yield Problem(f"trust {one} -> {other}", what, "lab up")


def _linked(seen: Observation) -> set[tuple[str, str]]:
    wanted = {(link.from_, link.to) for link in seen.links}
    found = {(name, link_target(obj)) for name, facts in seen.kube.items() for obj in facts.links}
    return {(min(pair), max(pair)) for pair in wanted | found}


def _title(anchor: x509.Certificate) -> str:
    """An anchor's name with the start of its fingerprint, since all are named alike."""
    name = anchor.subject.rfc4514_string().removeprefix("CN=")
    return f"{name} {anchor.fingerprint(hashes.SHA256()).hex()[:8]}"
