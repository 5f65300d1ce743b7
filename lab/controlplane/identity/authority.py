"""The signing half of the identity service: which issuer signs, and for whom.

It validates the caller's token with the API server and the request's names with certificates.py. The
HTTP server around it is server.py; the issuer comes from a Secret that main.py watches.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from lab.base.errors import LabError
from lab.controlplane.identity.certificates import (
    LEAF_LIFE,
    CsrRefused,
    Pair,
    check_request,
    is_signed_by,
    lifetime,
    sign,
    why_not_now,
)
from lab.controlplane.identity.names import TOKEN_AUDIENCE, TRUST_DOMAIN, workload_name_of_user
from lab.kube.client import Client
from lab.kube.kinds import TOKEN_REVIEWS
from lab.kube.objects import Object, status


class Refused(LabError):
    """A request that is not answered with a certificate; `http` is the status that says so."""

    def __init__(self, http: int, message: str) -> None:
        super().__init__(message)
        self.http = http


class BadIssuer(LabError):
    """The issuer Secret cannot be used."""


@dataclass(frozen=True)
class Certified:
    """A signed chain and when its leaf ends."""

    name: str
    chain: bytes
    not_after: datetime


def issuer_of(secret: Object, roots: bytes) -> Pair:
    """The issuer in a Secret, checked to belong together, to be valid now and to chain to `roots`."""
    data = secret.get("data") or {}
    try:
        pair = Pair(base64.b64decode(data["crt.pem"]), base64.b64decode(data["key.pem"]))
        pair.check()
        certificate = pair.parsed()
    except KeyError as error:
        raise BadIssuer(f"Secret linkerd-identity-issuer has no {error.args[0]}") from error
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise BadIssuer(f"Secret linkerd-identity-issuer: {error}") from error
    if wrong := why_not_now(certificate, datetime.now(UTC)):
        raise BadIssuer(f"the issuer certificate {wrong}")
    if not any(is_signed_by(certificate, root) for root in x509.load_pem_x509_certificates(roots)):
        raise BadIssuer("the issuer certificate is not signed by any of the trust roots")
    return pair


class Authority:
    """Answers certify requests of one cluster."""

    def __init__(
        self, client: Client, *, life: timedelta = LEAF_LIFE, trust_domain: str = TRUST_DOMAIN
    ) -> None:
        self.issuer: Pair | None = None
        self.trust_domain = trust_domain
        self._client, self.life = client, life

    async def certify(self, token: str, csr: bytes) -> Certified:
        """A certificate for the service account that `token` belongs to. Raises Refused."""
        name = await self._name_of(token)
        return self.sign(name, csr)

    def sign(self, name: str, csr: bytes) -> Certified:
        """Sign a request for a name that has been proven."""
        if self.issuer is None:
            raise Refused(
                503, "there is no usable issuer (Secret linkerd-identity-issuer in namespace linkerd)"
            )
        try:
            request = check_request(csr, name)
        except CsrRefused as error:
            raise Refused(400, str(error)) from error
        try:
            chain = sign(request, name, self.issuer, datetime.now(UTC), self.life)
        except ValueError as error:
            raise Refused(503, str(error)) from error
        return Certified(name, chain, lifetime(chain)[1])

    async def _name_of(self, token: str) -> str:
        if not token:
            raise Refused(401, "the request carries no token")
        review = await self._client.create(
            TOKEN_REVIEWS,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "metadata": {},
                "spec": {"token": token, "audiences": [TOKEN_AUDIENCE]},
            },
        )
        verdict = status(review)
        if not verdict.get("authenticated"):
            raise Refused(401, f"the token is not valid: {verdict.get('error') or 'not authenticated'}")
        if TOKEN_AUDIENCE not in (verdict.get("audiences") or []):
            raise Refused(401, f"the token is not meant for the audience {TOKEN_AUDIENCE}")
        username = str((verdict.get("user") or {}).get("username", ""))
        name = workload_name_of_user(username, self.trust_domain)
        if not name:
            raise Refused(403, f"{username!r} is no service account; only workloads get certificates")
        return name
