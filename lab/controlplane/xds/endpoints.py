"""Pools as Envoy ClusterLoadAssignments. Pure."""

from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf.struct_pb2 import Struct

from lab.controlplane.model.ir import Endpoint, Locality, Pool
from lab.controlplane.xds.messages import socket_address, uint32
from lab.controlplane.xds.tls import PLAINTEXT, SOCKET_MATCH, socket_label

# One ready endpoint of many still earns its backend the whole share, as Linkerd balances: the share of a
# backend is weight * min(1, factor * ready / all), so the factor (in percent) exceeds any number of
# endpoints.
OVERPROVISIONING = 1_000_000
LAB_METADATA = "lab"


def load_assignment(pool: Pool) -> Any:
    """The endpoints of a pool; a locality without any gets no share."""
    policy = endpoint_pb2.ClusterLoadAssignment.Policy(overprovisioning_factor=uint32(OVERPROVISIONING))
    groups = [_locality(locality) for locality in pool.localities if locality.endpoints]
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=pool.name, endpoints=groups, policy=policy)


def _locality(locality: Locality) -> Any:
    return endpoint_components_pb2.LocalityLbEndpoints(
        locality=base_pb2.Locality(zone=locality.name),
        load_balancing_weight=uint32(locality.weight),
        lb_endpoints=[_endpoint(endpoint) for endpoint in locality.endpoints],
    )


def _endpoint(endpoint: Endpoint) -> Any:
    """The hostname is the identity that TLS must find; metadata says "plaintext", or what to ask a gateway
    for.
    """
    metadata = base_pb2.Metadata()
    if not endpoint.identity:
        metadata.filter_metadata[SOCKET_MATCH].CopyFrom(socket_label(PLAINTEXT))
    if endpoint.authority:
        wanted = Struct()
        wanted.update({"authority": endpoint.authority})
        metadata.filter_metadata[LAB_METADATA].CopyFrom(wanted)
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(
            address=socket_address(endpoint.address, endpoint.port), hostname=endpoint.identity
        ),
        metadata=metadata,
    )
