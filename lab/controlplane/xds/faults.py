"""HTTP faults as Envoy's fault filter has them: errors and delays for some of the requests to a pod. Pure.

The filter stands in every inbound connection manager and does nothing by itself. The route table of a faulty
pod switches it on, so faults come and go without a change of listeners, for open connections too. Envoy
counts what it did (`aborts_injected`, `delays_injected`) and answers `fault filter abort`.
"""

from typing import Any

from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.type.v3 import percent_pb2

from lab.controlplane.model.ir import HttpFault
from lab.controlplane.xds.http import http_filter
from lab.controlplane.xds.kubelet import probes
from lab.controlplane.xds.messages import duration

HTTP_FAULT = "envoy.filters.http.fault"
_PARTS = 10_000
"""Envoy counts in millionths, which are ten-thousandths of a percent."""


def fault_filter() -> Any:
    """The filter that does what the route table says, and nothing without its word."""
    return http_filter(HTTP_FAULT, fault_pb2.HTTPFault(), on_request=True)


def fault_rules(fault: HttpFault) -> Any:
    """The settings for a route table; the kubelet's probes are spared, as they go by no mesh elsewhere."""
    found = fault_pb2.HTTPFault(headers=[probes(wanted=False)])
    if fault.abort_percent:
        abort = fault_pb2.FaultAbort(percentage=_share(fault.abort_percent))
        if fault.grpc_status:
            abort.grpc_status = fault.grpc_status
        else:
            abort.http_status = fault.http_status
        found.abort.CopyFrom(abort)
    if fault.delay_percent:
        held = common_pb2.FaultDelay(
            fixed_delay=duration(fault.delay), percentage=_share(fault.delay_percent)
        )
        found.delay.CopyFrom(held)
    return found


def _share(percent: float) -> Any:
    return percent_pb2.FractionalPercent(
        numerator=round(percent * _PARTS), denominator=percent_pb2.FractionalPercent.MILLION
    )
