"""Knows the kubelet's HTTP probes, which are nobody's traffic: spared by faults and not counted. Pure."""

from typing import Any

from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.extensions.filters.http.health_check.v3 import health_check_pb2

from lab.controlplane.xds.http import http_filter
from lab.controlplane.xds.matches import text_matcher
from lab.controlplane.xds.messages import boolean

AGENT = "kube-probe/"
"""How the kubelet calls itself."""


def probe_filter() -> Any:
    """Passes everything on; Envoy counts what is marked here as no response of the app."""
    config = health_check_pb2.HealthCheck(pass_through_mode=boolean(True), headers=[probes(wanted=True)])
    return http_filter("envoy.filters.http.health_check", config)


def probes(*, wanted: bool) -> Any:
    """Matches the kubelet's requests, or all but these."""
    return rc.HeaderMatcher(
        name="user-agent",
        string_match=text_matcher("prefix", AGENT),
        invert_match=not wanted,
        treat_missing_header_as_empty=True,
    )
