"""TLS of the discovery server: certificates are read anew per connection, so renewal needs no restart."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc


@dataclass(frozen=True)
class Files:
    """PEM files; they are replaced by rename when they are renewed."""

    certificate: Path
    key: Path
    roots: Path

    @classmethod
    def under(cls, directory: Path) -> "Files":
        """As a workload's certificate is laid out on disk."""
        return cls(directory / "cert.pem", directory / "key.pem", directory / "ca.pem")


def server_credentials(files: Files) -> Any:
    """Credentials of a server that requires a certificate from the trust roots of its clients."""
    return grpc.dynamic_ssl_server_credentials(_configuration(files), _fetcher(files), True)


def _configuration(files: Files) -> Any:
    pair = (files.key.read_bytes(), files.certificate.read_bytes())
    return grpc.ssl_server_certificate_configuration([pair], files.roots.read_bytes())


def _fetcher(files: Files) -> Callable[[], Any]:
    """Called by gRPC before each handshake; None keeps what it has."""
    seen = [_stamp(files)]

    def fetch() -> Any:
        now = _stamp(files)
        if now == seen[0]:
            return None
        seen[0] = now
        return _configuration(files)

    return fetch


def _stamp(files: Files) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns for path in (files.certificate, files.key, files.roots))
