"""TLS contexts: who a proxy says it is, and whom it expects on the other side. Pure.

Certificates are read by Envoy from files that the launcher renews; nothing secret passes through here.
"""

from pathlib import Path
from typing import Any

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from google.protobuf.struct_pb2 import Struct

from lab.controlplane.identity import sds
from lab.controlplane.xds.messages import any_of, boolean

SOCKET_MATCH = "envoy.transport_socket_match"
PLAINTEXT = "plaintext"


def client_socket(secrets: Path, alpn: tuple[str, ...] = ()) -> Any:
    """Mutual TLS towards endpoints, each checked against the identity that stands as its hostname."""
    context = tls_pb2.UpstreamTlsContext(
        common_tls_context=_common(secrets, alpn), auto_host_sni=True, auto_sni_san_validation=True
    )
    return base_pb2.TransportSocket(name="tls", typed_config=any_of(context))


def server_socket(secrets: Path) -> Any:
    """Mutual TLS that lets in anybody with a certificate from the trust roots."""
    context = tls_pb2.DownstreamTlsContext(
        common_tls_context=_common(secrets, ("h2", "http/1.1", "l5d-tcp")),
        require_client_certificate=boolean(True),
    )
    return base_pb2.TransportSocket(name="tls", typed_config=any_of(context))


def plaintext_socket() -> Any:
    return base_pb2.TransportSocket(name=PLAINTEXT, typed_config=any_of(raw_buffer_pb2.RawBuffer()))


def cut_marker(cut: str) -> Any:
    """Metadata without a meaning: Envoy drains the connections of a cluster or filter chain that differs."""
    if not cut:
        return None
    found = base_pb2.Metadata()
    found.filter_metadata["lab.cut"].update({"by": cut})
    return found


def socket_label(value: str) -> Struct:
    """The endpoint metadata by which a cluster picks a socket."""
    found = Struct()
    found.update({"socket": value})
    return found


def _common(secrets: Path, alpn: tuple[str, ...]) -> Any:
    return tls_pb2.CommonTlsContext(
        tls_params=common_pb2.TlsParameters(
            tls_minimum_protocol_version=common_pb2.TlsParameters.TLSv1_3,
            tls_maximum_protocol_version=common_pb2.TlsParameters.TLSv1_3,
        ),
        tls_certificate_sds_secret_configs=[_secret(sds.IDENTITY, secrets)],
        validation_context_sds_secret_config=_secret(sds.TRUST_ROOTS, secrets),
        alpn_protocols=alpn,
    )


def _secret(name: str, directory: Path) -> Any:
    path = sds.path_of(name, directory)
    source = config_source_pb2.PathConfigSource(
        path=str(path), watched_directory=base_pb2.WatchedDirectory(path=str(path.parent))
    )
    return secret_pb2.SdsSecretConfig(
        name=name,
        sds_config=config_source_pb2.ConfigSource(
            path_config_source=source, resource_api_version=config_source_pb2.V3
        ),
    )
