"""Service-account tokens: signs them, and tells whose a presented one is.

A token is good while its signature, times, audience, service account and bound pod are: deleting the
account or the pod ends it at once.
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lab.pocket.apiserver.storage.record import Key
from lab.pocket.apiserver.storage.store import Store

ISSUER = "https://kubernetes.default.svc.cluster.local"
_CACHE_LIMIT = 2048


@dataclass(frozen=True)
class Verified:
    """A token's bearer. `audiences` are those the token was made for."""

    username: str
    groups: tuple[str, ...]
    uid: str
    audiences: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What a new token says; `pod` is (name, uid) when bound, lifetime is in seconds."""

    namespace: str
    account: str
    account_uid: str
    audiences: tuple[str, ...]
    lifetime: int
    pod: tuple[str, str] | None = None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    def __init__(self, store: Store, private: Path, public: Path) -> None:
        self._store = store
        key = serialization.load_pem_private_key(private.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(f"{private}: expected an RSA or EC private key, found {type(key).__name__}")
        self._key = key
        self._public = key.public_key()
        self._kid = _encode(hashlib.sha256(public.read_bytes()).digest())
        self._claims: dict[str, dict[str, Any]] = {}

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self._key, rsa.RSAPrivateKey) else "ES256"

    def sign(self, claims: Mapping[str, Any]) -> str:
        header = {"alg": self.algorithm, "kid": self._kid}
        parts = [_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)]
        message = ".".join(parts).encode()
        if isinstance(self._key, rsa.RSAPrivateKey):
            signature = self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return ".".join([*parts, _encode(signature)])

    def issue(self, wanted: Wanted) -> tuple[str, int]:
        """A bound token and the Unix time it expires."""
        now = int(time.time())
        kubernetes: dict[str, Any] = {
            "namespace": wanted.namespace,
            "serviceaccount": {"name": wanted.account, "uid": wanted.account_uid},
        }
        if wanted.pod:
            kubernetes["pod"] = {"name": wanted.pod[0], "uid": wanted.pod[1]}
        claims = {
            "aud": list(wanted.audiences),
            "exp": now + wanted.lifetime,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": kubernetes,
            "sub": f"system:serviceaccount:{wanted.namespace}:{wanted.account}",
        }
        return self.sign(claims), now + wanted.lifetime

    def legacy(self, namespace: str, secret: str, account: str, uid: str) -> str:
        """The token of a kubernetes.io/service-account-token Secret: no expiry, ends with the Secret."""
        prefix = "kubernetes.io/serviceaccount"
        return self.sign(
            {
                "iss": "kubernetes/serviceaccount",
                f"{prefix}/namespace": namespace,
                f"{prefix}/secret.name": secret,
                f"{prefix}/service-account.name": account,
                f"{prefix}/service-account.uid": uid,
                "sub": f"system:serviceaccount:{namespace}:{account}",
            }
        )

    def verify(self, token: str, audiences: Sequence[str] = (ISSUER,)) -> Verified | None:
        """None when the token is not good (any more) or is for other audiences."""
        claims = self._checked_claims(token)
        if claims is None or not _in_time(claims):
            return None
        if "kubernetes.io" in claims:
            return self._verify_bound(claims, audiences)
        return self._verify_legacy(claims, token, audiences)

    def _checked_claims(self, token: str) -> dict[str, Any] | None:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        if digest in self._claims:
            return self._claims[digest]
        try:
            head, body, signature = token.split(".")
            if json.loads(_decode(head)).get("alg") != self.algorithm:
                return None
            self._check(f"{head}.{body}".encode(), _decode(signature))
            claims: dict[str, Any] = json.loads(_decode(body))
        except (ValueError, AttributeError, InvalidSignature):
            return None
        if len(self._claims) >= _CACHE_LIMIT:
            self._claims.clear()
        self._claims[digest] = claims
        return claims

    def _check(self, message: bytes, signature: bytes) -> None:
        if isinstance(self._public, rsa.RSAPublicKey):
            self._public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            return
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        self._public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))

    def _verify_bound(self, claims: dict[str, Any], audiences: Sequence[str]) -> Verified | None:
        about = claims["kubernetes.io"]
        own = tuple(claims.get("aud") or ())
        shared = tuple(a for a in audiences if a in own)
        if claims.get("iss") != ISSUER or not shared:
            return None
        namespace, account = about["namespace"], about["serviceaccount"]
        if not self._exists("/serviceaccounts", namespace, account["name"], account["uid"]):
            return None
        extra: dict[str, tuple[str, ...]] = {
            "authentication.kubernetes.io/credential-id": (f"JTI={claims['jti']}",)
        }
        if pod := about.get("pod"):
            if not self._exists("/pods", namespace, pod["name"], pod["uid"]):
                return None
            extra["authentication.kubernetes.io/pod-name"] = (pod["name"],)
            extra["authentication.kubernetes.io/pod-uid"] = (pod["uid"],)
        return _verified(namespace, account["name"], account["uid"], shared, extra)

    def _verify_legacy(self, claims: dict[str, Any], token: str, audiences: Sequence[str]) -> Verified | None:
        prefix = "kubernetes.io/serviceaccount"
        try:
            namespace = claims[f"{prefix}/namespace"]
            name, uid = claims[f"{prefix}/service-account.name"], claims[f"{prefix}/service-account.uid"]
            secret = self._store.get(Key("/secrets", namespace, claims[f"{prefix}/secret.name"]))
        except (KeyError, TypeError):
            return None
        if secret is None or ISSUER not in audiences:
            return None
        stored = (secret.obj.get("data") or {}).get("token", "")
        if stored != base64.b64encode(token.encode()).decode():
            return None
        if not self._exists("/serviceaccounts", namespace, name, uid):
            return None
        return _verified(namespace, name, uid, (ISSUER,), {})

    def _exists(self, prefix: str, namespace: str, name: str, uid: str) -> bool:
        found = self._store.get(Key(prefix, namespace, name))
        return found is not None and found.obj["metadata"].get("uid") == uid


def _in_time(claims: Mapping[str, Any]) -> bool:
    now = time.time()
    expiry, start = claims.get("exp"), claims.get("nbf", 0)
    return (expiry is None or now < float(expiry)) and now + 10 >= float(start)


def _verified(
    namespace: str, name: str, uid: str, audiences: tuple[str, ...], extra: Mapping[str, tuple[str, ...]]
) -> Verified:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return Verified(f"system:serviceaccount:{namespace}:{name}", groups, uid, audiences, extra)
