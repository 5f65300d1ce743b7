"""The API server program: parses flags, wires the parts, serves until SIGTERM.

Started by the embedded engine (one per cluster) and by tests; see `--help` for its flags.
"""

import argparse
import asyncio
import gc
import resource
import signal
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from lab.base.errors import LabError
from lab.base.log import get_logger, setup
from lab.base.tls import thrifty

from .admission.services import Addresses
from .admission.webhooks import Webhooks
from .auth.authenticate import Authenticator
from .auth.rbac import Authorizer
from .auth.tokens import Tokens
from .bootstrap import bootstrap
from .context import Api, Settings
from .crd.serve import CustomResources
from .http.server import Front
from .openapi.documents import Documents
from .resources.builtin import table
from .resources.registry import Registry
from .storage.store import HISTORY, Store, StoreFailed

log = get_logger(__name__)
_COLLECT = (10_000, 20, 50)
"""Rarer than Python's own: a request leaves no cycles, and a full round stops a big cluster for 50 ms."""
_SHUTDOWN_SECONDS = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    settings = parse(argv)
    setup()
    _allow_many_files()
    thrifty()
    try:
        asyncio.run(_run(settings))
    except StoreFailed as error:
        log.error("cannot serve", cluster=settings.name, error=error, remedy=error.remedy)
        return error.exit_code
    return 0


def parse(argv: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="apiserver", description=__doc__)
    parser.add_argument("--name", required=True, help="the cluster's name")
    parser.add_argument("--data", required=True, type=Path, help="folder of store.db")
    parser.add_argument("--pki", required=True, type=Path, help="folder of ca, apiserver and sa keys")
    parser.add_argument("--listen", action="append", default=[], type=_address, metavar="HOST:PORT")
    parser.add_argument("--listen-fd", action="append", default=[], type=int, metavar="N")
    parser.add_argument("--kubelet-socket", type=Path)
    parser.add_argument("--service-cidr", default="10.96.0.0/16")
    parser.add_argument("--kubernetes-endpoint", type=_address, metavar="IP:PORT")
    parser.add_argument("--cache", type=Path, help="folder for derived OpenAPI documents")
    parser.add_argument(
        "--history", type=int, default=HISTORY, help="how many changes a watcher may be behind"
    )
    found = parser.parse_args(argv)
    return Settings(
        name=found.name,
        data=found.data,
        pki=found.pki,
        listen=tuple(found.listen),
        listen_fds=tuple(found.listen_fd),
        kubelet_socket=found.kubelet_socket,
        service_cidr=found.service_cidr,
        kubernetes_endpoint=found.kubernetes_endpoint,
        cache=found.cache,
        history=found.history,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def build(settings: Settings) -> Api:
    """All parts over one store, with the cluster's first objects in place."""
    store = Store(settings.data / "store.db", settings.history)
    registry = Registry(table())
    tokens = Tokens(store, settings.pki / "sa.key", settings.pki / "sa.pub")
    api = Api(
        settings=settings,
        store=store,
        registry=registry,
        authenticator=Authenticator(tokens),
        authorizer=Authorizer(store),
        tokens=tokens,
        webhooks=Webhooks(store, registry),
        documents=Documents(settings, registry),
        addresses=Addresses(store),
    )
    bootstrap(api)
    return api


def tls(pki: Path) -> ssl.SSLContext:
    """Server TLS that asks for, and does not demand, a client certificate of the cluster's CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    context.load_verify_locations(pki / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _warm(api: Api) -> None:
    """Get the schemas ready after the start, so that the first strict write need not wait."""
    try:
        await api.documents.schemas.ready()
    except LabError as error:
        log.warning("no schemas of built-in kinds", error=error)


def _allow_many_files() -> None:
    """Thousands of watches are thousands of descriptors; the usual limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    api = build(settings)
    custom = CustomResources(api)
    custom.start()
    server = web.Server(Front(api).handle, access_log=None, keepalive_timeout=300.0)
    context = tls(settings.pki)
    listeners = [await loop.create_server(server, host, port, ssl=context) for host, port in settings.listen]
    for number in settings.listen_fds:
        listeners.append(await loop.create_server(server, sock=socket.socket(fileno=number), ssl=context))
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    warming = asyncio.create_task(_warm(api), name="schemas")
    for listener in listeners:
        for sock in listener.sockets:
            log.info("serving", cluster=settings.name, address=sock.getsockname())
    await stop.wait()
    warming.cancel()
    for listener in listeners:
        listener.close()
    await custom.stop()
    await api.webhooks.close()
    api.store.drop_watchers()
    await server.shutdown(_SHUTDOWN_SECONDS)
    api.store.close()


if __name__ == "__main__":
    raise SystemExit(main())
