"""echo-advanced: tells what reached it over HTTP, HTTPS, gRPC and TCP, in lines of `Key=value`.

Takes the flags of the original that the conformance suite uses. Where a port is served with TLS and there
is no certificate at `--crt`, one is made up: the original image brings its own.
"""

import argparse
import socket
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import grpc.aio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.apps import serving
from lab.apps.advanced import wire
from lab.apps.lines import listen_lines

HTTP_PORT, GRPC_PORT = 8080, 7070


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="echo-advanced", description="echo server of the conformance suite")
    parser.add_argument("--port", type=int, action="append", metavar="PORT", help="HTTP, or HTTPS by --tls")
    parser.add_argument("--tls", type=int, action="append", default=[], metavar="PORT", help="HTTPS ports")
    parser.add_argument("--grpc", type=int, action="append", metavar="PORT")
    parser.add_argument("--tcp", type=int, action="append", default=[], metavar="PORT")
    parser.add_argument("--crt", type=Path, default=Path("/cert.crt"))
    parser.add_argument("--key", type=Path, default=Path("/cert.key"))
    parser.add_argument("--version", default="", help="what ServiceVersion says")
    args = parser.parse_args(argv)

    async def setup(stack: AsyncExitStack) -> None:
        for port in args.port or [HTTP_PORT]:
            tls = tls_context(args.crt, args.key) if port in args.tls else None
            await serving.listen_http(stack, application(port, args.version), port, tls)
        for port in args.grpc or [GRPC_PORT]:
            await listen_grpc(stack, port, args.version)
        for port in args.tcp:
            await listen_lines(stack, _echo_line, port)

    return serving.run(setup)


def application(port: int, version: str) -> web.Application:
    """Answers any request with what it was; `port` and `version` are what the answer says of itself."""

    async def echo(request: web.Request) -> web.Response:
        fields = {
            "ServiceVersion": version,
            "ServicePort": port,
            "Host": request.host,
            "URL": request.path_qs,
            "Method": request.method,
            "Proto": f"HTTP/{request.version.major}.{request.version.minor}",
            "IP": request.remote or "",
        }
        headers = [(name, value) for name, value in request.headers.items() if name.lower() != "host"]
        return web.Response(text=wire.lines(_signed(fields), headers))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    return app


async def listen_grpc(stack: AsyncExitStack, port: int, version: str) -> int:
    """Serve gRPC in clear text until `stack` closes; the result is the port bound."""

    async def echo(body: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        metadata = [(key, str(value)) for key, value in context.invocation_metadata() or ()]
        fields = {
            "StatusCode": 200,
            "ServiceVersion": version,
            "ServicePort": port,
            "IP": context.peer(),
            "Echo": wire.decode(body),
        }
        return wire.encode(wire.lines(_signed(fields), metadata))

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(wire.SERVICE, {wire.METHOD: handler}),)
    )
    bound = server.add_insecure_port(f"0.0.0.0:{port}")
    await server.start()
    stack.push_async_callback(server.stop, 2.0)
    return bound


async def _echo_line(line: str) -> str:
    return f"Hostname={socket.gethostname()} Echo={line}"


def _signed(fields: dict[str, object]) -> list[tuple[str, object]]:
    return [*fields.items(), ("Hostname", socket.gethostname())]


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context with the certificate, or with one made up where there is no such file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if certificate.exists():
        context.load_cert_chain(certificate, key)
        return context
    with tempfile.NamedTemporaryFile() as file:
        file.write(_made_up())
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _made_up() -> bytes:
    """A key and a certificate that nobody vouches for, good for a day, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, socket.gethostname())])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
