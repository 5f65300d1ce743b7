"""The signing half of the identity service: which issuer signs, and for whom.

It validates the caller's token with the API server and the request's names with certificates.py. The
HTTP server around it is server.py; the issuer comes from a Secret that main.py watches.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509

from lab.base.errors import LabError
from lab.controlplane.faults import NO_FLAW, Flaw, flaw_of
from lab.controlplane.identity.certificates import (
    LEAF_LIFE,
    CsrRefused,
    Pair,
    check_request,
    is_signed_by,
    issuer,
    lifetime,
    sign,
    trust_anchor,
    why_not_now,
)
from lab.controlplane.identity.names import TOKEN_AUDIENCE, TRUST_DOMAIN, workload_name_of_user
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import PODS, TOKEN_REVIEWS
from lab.kube.objects import Object, status

NOBODY = "nobody.invalid"
"""The name in a certificate that is to have a wrong one."""
BESIDE_VALIDITY = timedelta(hours=1)
"""How far from now the validity ends, or begins, of a certificate that is not to be valid now."""
POD_NAME = "authentication.kubernetes.io/pod-name"


class Refused(LabError):
    """A request that is not answered with a certificate; `http` is the status that says so."""

    def __init__(self, http: int, message: str) -> None:
        super().__init__(message)
        self.http = http


class BadIssuer(LabError):
    """The issuer Secret cannot be used."""


@dataclass(frozen=True)
class Caller:
    """Whom a token belongs to; the pod's name is empty if the token is bound to none."""

    name: str
    namespace: str
    pod: str


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
        self.faults: Callable[[str], Iterable[Object]] = lambda namespace: ()
        self.trust_domain = trust_domain
        self._client, self.life = client, life

    async def certify(self, token: str, csr: bytes) -> Certified:
        """A certificate for the service account that `token` belongs to. Raises Refused."""
        caller = await self._caller(token)
        return self.sign(caller.name, csr, await self._flaw(caller))

    @cached_property
    def stranger(self) -> Pair:
        """An issuer that nobody trusts."""
        now = datetime.now(UTC)
        return issuer("identity of a stranger", trust_anchor("root of a stranger", now), now)

    def sign(self, name: str, csr: bytes, flaw: Flaw = NO_FLAW) -> Certified:
        """Sign a request for a name that has been proven, with a flaw if that was asked for."""
        if self.issuer is None:
            raise Refused(
                503, "there is no usable issuer (Secret linkerd-identity-issuer in namespace linkerd)"
            )
        try:
            request = check_request(csr, name)
        except CsrRefused as error:
            raise Refused(400, str(error)) from error
        try:
            chain = sign(
                request,
                NOBODY if flaw.problem == "wrong-name" else name,
                self.stranger if flaw.problem == "foreign-root" else self.issuer,
                datetime.now(UTC) + self._skew(flaw),
                self.life,
            )
        except ValueError as error:
            raise Refused(503, str(error)) from error
        return Certified(name, chain, lifetime(chain)[1])

    def _skew(self, flaw: Flaw) -> timedelta:
        """How far ahead the clock is that certificates with this flaw are signed by."""
        wanted = {"expired": -(self.life + BESIDE_VALIDITY), "not-yet-valid": BESIDE_VALIDITY}
        return wanted.get(flaw.problem, flaw.skew)

    async def _flaw(self, caller: Caller) -> Flaw:
        if not caller.pod or not (faults := list(self.faults(caller.namespace))):
            return NO_FLAW
        try:
            return flaw_of(await self._client.get(PODS, caller.pod, caller.namespace), faults)
        except NotFound:
            raise Refused(403, f"pod {caller.namespace}/{caller.pod} is gone") from None

    async def _caller(self, token: str) -> Caller:
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
        user = verdict.get("user") or {}
        username = str(user.get("username", ""))
        name = workload_name_of_user(username, self.trust_domain)
        if not name:
            raise Refused(403, f"{username!r} is no service account; only workloads get certificates")
        pods = (user.get("extra") or {}).get(POD_NAME) or [""]
        return Caller(name, username.split(":")[2], pods[0])
