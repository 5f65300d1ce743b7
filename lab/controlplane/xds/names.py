"""Names that more than one kind of Envoy resource uses, and the ports of the proxy. Pure.

Cluster names hold no dot, so that statistics read `cluster.outbound/<namespace>/<service>/<port>.<counter>`
and their label in Prometheus text is the whole name.
"""

from lab.controlplane.inject.settings import APP_MARK, INBOUND_PORT, OUTBOUND_PORT, PROXY_MARK

__all__ = ["APP_MARK", "INBOUND_PORT", "OUTBOUND_PORT", "PROXY_MARK"]

OUTBOUND = "outbound"
INBOUND = "inbound"
PASSTHROUGH = "passthrough"
LOCAL_HTTP = "inbound-http"
LOCAL_TCP = "inbound-tcp"
INVALID_BACKEND = "invalid-backend"
"""A cluster that is never defined: routes to it answer 500."""

CLIENT_ID = "l5d-client-id"
DESTINATION = "l5d-dst-authority"
"""Tells a gateway which service is wanted; set by the client's proxy on the way to a gateway only."""

TCP_ALPN = "l5d-tcp"
"""The TLS protocol name by which a proxy tells the other that the bytes inside are not HTTP."""
