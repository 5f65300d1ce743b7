"""Where a workload's certificate and key lie, and the files from which Envoy reads them (file-based
SDS). Pure but for `write`.

The launcher's bootstrap and the control plane's listeners name these same files. Each is replaced by a
rename, so a reader sees the old pair or the new pair, never a mixture.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path("/var/run/linkerd/identity/end-entity")
IDENTITY = "identity"
TRUST_ROOTS = "trust-roots"


@dataclass(frozen=True)
class Credentials:
    """What proves a workload's identity (`certificate` is a chain) and what it believes in; all PEM."""

    certificate: bytes
    key: bytes
    roots: bytes


def path_of(secret: str, directory: Path = DIRECTORY) -> Path:
    """The SDS file of a secret (`identity` or `trust-roots`)."""
    return directory / "sds" / f"{secret}.yaml"


def config_source(secret: str, directory: Path = DIRECTORY) -> dict[str, Any]:
    """An Envoy SdsSecretConfig that reads the secret from its file and follows renewals."""
    path = path_of(secret, directory)
    source = {"path": str(path), "watched_directory": {"path": str(path.parent)}}
    return {"name": secret, "sds_config": {"path_config_source": source, "resource_api_version": "V3"}}


def write(credentials: Credentials, directory: Path) -> None:
    """Write the PEM files and both SDS files; readers of any one file see it whole."""
    (directory / "sds").mkdir(parents=True, exist_ok=True)
    _replace(directory / "ca.pem", credentials.roots)
    _replace(directory / "key.pem", credentials.key)
    _replace(directory / "cert.pem", credentials.certificate)
    roots = {"trusted_ca": {"inline_string": credentials.roots.decode()}}
    pair = {
        "certificate_chain": {"inline_string": credentials.certificate.decode()},
        "private_key": {"inline_string": credentials.key.decode()},
    }
    _replace(path_of(TRUST_ROOTS, directory), _secret(TRUST_ROOTS, {"validation_context": roots}))
    _replace(path_of(IDENTITY, directory), _secret(IDENTITY, {"tls_certificate": pair}))


def _secret(name: str, body: dict[str, Any]) -> bytes:
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    # JSON is YAML too; so the launcher needs no YAML library.
    return json.dumps({"resources": [{"@type": kind, "name": name, **body}]}).encode()


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.rename(path)
