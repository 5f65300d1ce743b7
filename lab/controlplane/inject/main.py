"""Program `proxy-injector`: serves the admission webhook (8443 HTTPS) and its admin endpoint (9995)."""

import argparse
import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from lab.base.log import setup
from lab.controlplane import admin
from lab.controlplane.identity.client import ROOTS
from lab.controlplane.inject.webhook import Injector, application
from lab.controlplane.lifecycle import until_terminated
from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import NAMESPACES


async def _run(options: argparse.Namespace) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls / "tls.crt", options.tls / "tls.key")
    async with await Client.in_cluster() as client:
        injector = Injector(client, Informer(client, NAMESPACES), options.trust_roots, options.profile)
        runner = web.AppRunner(application(injector), access_log=None, shutdown_timeout=1)
        await runner.setup()
        admin_runner = await admin.serve(
            admin.application(injector.metrics, injector.why_not_ready), options.admin_port
        )
        try:
            await web.TCPSite(runner, None, options.port, ssl_context=context, reuse_address=True).start()
            await until_terminated(injector.namespaces.run())
        finally:
            await runner.cleanup()
            await admin_runner.cleanup()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="proxy-injector", description=__doc__)
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--admin-port", type=int, default=9995)
    parser.add_argument("--tls", type=Path, default=Path("/var/run/linkerd/tls"))
    parser.add_argument("--trust-roots", type=Path, default=ROOTS)
    parser.add_argument("--profile", default="latest", help="written to the pods as linkerd.io/proxy-version")
    options = parser.parse_args(argv)
    setup()
    asyncio.run(_run(options))
    return 0
