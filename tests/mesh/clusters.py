"""Clusters for mesh tests: the real API server and controllers, without a node."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from lab.kube.client import Client
from lab.mesh.builtin.control_plane import encoded
from lab.mesh.protocol import MeshCluster
from lab.pocket.apiserver.context import Settings
from lab.pocket.apiserver.crd.serve import CustomResources
from lab.pocket.apiserver.http.server import Front
from lab.pocket.apiserver.main import build, tls
from lab.pocket.controllers.run import run as run_controllers
from tests.node.cluster import kubeconfig


@contextlib.asynccontextmanager
async def api_cluster(name: str, folder: Path, keys: Path, node_ip: str) -> AsyncIterator[MeshCluster]:
    """One cluster on a port of its own; pods stay Pending for want of a node."""
    os.makedirs(folder)
    api = build(Settings(name, folder, keys, service_cidr="10.120.0.0/16"))
    custom = CustomResources(api)
    custom.start()
    server = web.Server(Front(api).handle, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=tls(keys))
    port = listener.sockets[0].getsockname()[1]
    client = await Client.from_kubeconfig_data(kubeconfig(port, keys))
    controllers = asyncio.create_task(
        run_controllers(client, cluster=name, node_ip=node_ip, ca_file=keys / "ca.crt")
    )
    try:
        yield MeshCluster(name, client, client.server, (keys / "ca.crt").read_text())
    finally:
        controllers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await controllers
        await client.close()
        listener.close()
        await custom.stop()
        api.store.drop_watchers()
        await server.shutdown(1.0)
        await api.webhooks.close()
        api.store.close()


async def token_client(cluster: MeshCluster, token: str) -> Client:
    """A client that proves itself by a service account's token only."""
    config = {"server": cluster.api_url, "certificate-authority-data": encoded(cluster.api_ca)}
    return await Client.from_kubeconfig_data(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": config}],
            "users": [{"name": "it", "user": {"token": token}}],
        }
    )
