"""What a proxy container's environment asks for, read once. Pure.

The names are Linkerd's; those that say where things are have the defaults of a pod and are set by tests only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import LabError
from lab.controlplane.identity import sds
from lab.controlplane.identity.client import ROOTS, TOKEN, Settings
from lab.controlplane.identity.names import IDENTITY_PORT, control_plane_host, workload_name
from lab.controlplane.inject.settings import ADMIN_PORT, PROXY_MARK
from lab.controlplane.proxy.bootstrap import DESTINATION_PORT, Identity, Places

POD = ("_pod_name", "_pod_ns", "_pod_sa")


@dataclass(frozen=True)
class Launch:
    """All that the launcher acts on."""

    identity: Identity
    credentials: Settings
    places: Places
    log_level: str = "warn"


def launch_of(environment: Mapping[str, str]) -> Launch:
    """Read the environment that the injector wrote. Raises LabError naming what is missing."""
    missing = [name for name in POD if not environment.get(name)]
    if missing:
        raise LabError(
            f"environment variables are missing: {', '.join(missing)}", remedy="is the pod injected?"
        )

    def setting(name: str, default: str) -> str:
        return environment.get(f"LINKERD2_PROXY_{name}") or default

    pod, namespace, account = (environment[name] for name in POD)
    directory = Path(setting("IDENTITY_DIR", str(sds.DIRECTORY)))
    anchors = setting("IDENTITY_TRUST_ANCHORS", "")
    identity_host, identity_port = _address(
        setting("IDENTITY_SVC_ADDR", f"{control_plane_host('linkerd-identity')}:{IDENTITY_PORT}")
    )
    host, port = _address(
        setting("DESTINATION_SVC_ADDR", f"{control_plane_host('linkerd-destination')}:{DESTINATION_PORT}")
    )
    _, admin_port = _address(setting("ADMIN_LISTEN_ADDR", f"0.0.0.0:{ADMIN_PORT}"))
    credentials = Settings(
        name=workload_name(account, namespace),
        roots=anchors.encode() if anchors else ROOTS,
        token=Path(setting("IDENTITY_TOKEN_FILE", str(TOKEN))),
        directory=directory,
        host=identity_host,
        port=identity_port,
        mark=PROXY_MARK,
    )
    return Launch(
        Identity(pod, namespace, account, setting("ROLE", "sidecar")),
        credentials,
        Places(directory, directory / "admin.sock", directory / "metrics.sock", host, port, admin_port),
        setting("LOG", "warn").split(",")[0],
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise LabError(f"{text!r} is not an address of the form host:port")
    return host, int(port)
