"""HTTPS front of the identity service: POST /v1/certify {token, csr} → {certificate, notAfter}."""

import json
import ssl
import tempfile
from pathlib import Path

from aiohttp import web

from lab.base.log import get_logger
from lab.controlplane.admin import Metrics
from lab.controlplane.identity.authority import Authority, Refused
from lab.controlplane.identity.certificates import key_pem, new_key, signing_request
from lab.controlplane.identity.names import control_plane_name
from lab.kube.errors import ApiError

log = get_logger(__name__)

LARGEST_REQUEST = 64 * 1024


def application(authority: Authority, metrics: Metrics) -> web.Application:
    """The certify endpoint over an authority."""
    metrics.declare("identity_certificates_total", "counter", "Certify requests by outcome.")

    async def certify(request: web.Request) -> web.Response:
        try:
            token, csr = _fields(await request.read())
            done = await authority.certify(token, csr)
        except Refused as error:
            metrics.add("identity_certificates_total", outcome="refused")
            log.warning("refused to certify", peer=request.remote, error=error)
            return web.Response(status=error.http, text=f"{error}\n")
        except ApiError as error:
            metrics.add("identity_certificates_total", outcome="error")
            log.error("token could not be reviewed", error=error)
            return web.Response(status=503, text=f"the token could not be reviewed: {error}\n")
        metrics.add("identity_certificates_total", outcome="issued")
        log.info("certificate issued", name=done.name, until=done.not_after.isoformat())
        not_after = done.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"certificate": done.chain.decode(), "notAfter": not_after})

    app = web.Application(client_max_size=LARGEST_REQUEST)
    app.add_routes([web.post("/v1/certify", certify)])
    return app


def _fields(body: bytes) -> tuple[str, bytes]:
    try:
        decoded = json.loads(body)
        token, csr = decoded["token"], decoded["csr"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, 'the body must be JSON: {"token": "…", "csr": "<PEM>"}') from error
    if not isinstance(token, str) or not isinstance(csr, str):
        raise Refused(400, "token and csr must be strings")
    return token, csr.encode()


def load_own_certificate(authority: Authority, context: ssl.SSLContext) -> None:
    """Give the server a certificate for its own identity, from its own issuer."""
    name = control_plane_name("linkerd-identity", authority.trust_domain)
    key = new_key()
    done = authority.sign(name, signing_request(key, name))
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder, "pair.pem")
        pair.touch(0o600)
        pair.write_bytes(key_pem(key) + done.chain)
        context.load_cert_chain(pair)
