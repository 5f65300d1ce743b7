"""Program `linkerd-proxy`: gets the pod's certificate, starts Envoy with it and renews it.

It holds no HTTP server and no client library: Envoy serves the admin port itself (bootstrap.py), so an idle
launcher costs next to nothing. It ends when Envoy ends, with Envoy's exit code.
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.log import get_logger, setup
from lab.controlplane.identity import sds
from lab.controlplane.identity.client import ROOTS, Settings, Workload
from lab.controlplane.identity.names import workload_name
from lab.controlplane.inject.settings import PROXY_MARK
from lab.controlplane.proxy.bootstrap import Identity, Places, bootstrap
from lab.controlplane.proxy.envoy import Envoy

log = get_logger(__name__)


@dataclass(frozen=True)
class Launch:
    """All that the container's environment says."""

    identity: Identity
    credentials: Settings
    places: Places
    log_level: str


def launch_of(environment: Mapping[str, str]) -> Launch:
    """Read the environment that the injector wrote. Raises LabError naming what is missing."""
    names = ("_pod_name", "_pod_ns", "_pod_sa")
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise LabError(
            f"environment variables are missing: {', '.join(missing)}", remedy="is the pod injected?"
        )
    pod, namespace, account = (environment[name] for name in names)
    directory = Path(environment.get("LINKERD2_PROXY_IDENTITY_DIR", str(sds.DIRECTORY)))
    anchors = environment.get("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "")
    credentials = Settings(
        name=workload_name(account, namespace),
        roots=anchors.encode() if anchors else ROOTS,
        directory=directory,
        mark=PROXY_MARK,
    )
    role = environment.get("LINKERD2_PROXY_ROLE", "sidecar")
    return Launch(
        Identity(pod, namespace, account, role),
        credentials,
        Places(certificates=directory, admin=directory / "admin.sock"),
        environment.get("LINKERD2_PROXY_LOG", "warn").split(",")[0],
    )


async def run(launch: Launch) -> int:
    """Certificate, Envoy, renewal; until a signal or Envoy's end."""
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, terminated.set)
    stopping = asyncio.create_task(terminated.wait())
    workload = Workload(launch.credentials)
    obtaining = asyncio.create_task(workload.obtain_eventually())
    starts: list[asyncio.Future[Any]] = [obtaining, stopping]
    await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED)
    if terminated.is_set():
        obtaining.cancel()
        return 0
    obtaining.result()
    config = launch.places.certificates / "bootstrap.json"
    config.write_text(json.dumps(bootstrap(launch.identity, launch.places)))
    envoy = Envoy.start(config, launch.log_level)
    log.info("envoy started", pid=envoy.pid, name=launch.credentials.name, role=launch.identity.role)
    renewing = asyncio.create_task(workload.run())
    endings: list[asyncio.Future[Any]] = [envoy.ended, renewing, stopping]
    try:
        await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        if renewing.done():
            renewing.result()
        if terminated.is_set() and launch.identity.role == "gateway":
            # A sidecar's app has ended before it; a gateway's clients are still there.
            await envoy.drain(launch.places.admin)
    finally:
        renewing.cancel()
        code = await envoy.stop()
    if terminated.is_set():
        return 0
    log.error("envoy ended", code=code)
    return code


def main(argv: Sequence[str]) -> int:
    del argv  # everything comes by environment, as the injector writes it
    setup()
    try:
        return asyncio.run(run(launch_of(os.environ)))
    except LabError as error:
        log.error("cannot start", error=error, remedy=error.remedy)
        return 1
