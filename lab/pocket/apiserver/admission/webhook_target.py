"""Where a webhook is called: its clientConfig → a URL, a CA and the name its certificate must carry."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.apiserver.storage.store import Store

SLICES = "discovery.k8s.io/endpointslices"
SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Target:
    """`ca` is PEM, empty for the system's; `server_name` is empty when the URL's host is right."""

    url: str
    ca: str
    server_name: str = ""


def resolve(store: Store, config: Mapping[str, Any]) -> Target:
    """The target of a clientConfig now. Raises LookupError, saying what is missing."""
    ca = base64.b64decode(config.get("caBundle") or "").decode()
    if url := config.get("url"):
        return Target(str(url), ca)
    service = config["service"]
    name, space = str(service["name"]), str(service["namespace"])
    address, port = endpoint(store, space, name, int(service.get("port", 443)))
    path = str(service.get("path") or "/")
    return Target(f"https://{address}:{port}{path}", ca, f"{name}.{space}.svc")


def endpoint(store: Store, space: str, name: str, port: int) -> tuple[str, int]:
    """A ready pod behind a Service's port; the API server goes to pods directly, as it is not one."""
    record = store.get(Key("/services", space, name))
    if record is None:
        raise LookupError(f'service "{name}" in namespace "{space}" not found')
    named = next((p for p in record.copy()["spec"].get("ports") or [] if p["port"] == port), None)
    if named is None:
        raise LookupError(f'service "{name}" in namespace "{space}" has no port {port}')
    for found in _slices(store, space, name):
        target = next(
            (p for p in found.get("ports") or [] if p.get("name", "") == named.get("name", "")), None
        )
        for endpoint in found.get("endpoints") or []:
            if target and (endpoint.get("conditions") or {}).get("ready", True):
                return str(endpoint["addresses"][0]), int(target["port"])
    raise LookupError(f'no endpoints available for service "{name}"')


def _slices(store: Store, space: str, name: str) -> Iterator[Object]:
    for record in store.list(SLICES, space):
        found = record.copy()
        if (found["metadata"].get("labels") or {}).get(SERVICE_LABEL) == name:
            yield found
