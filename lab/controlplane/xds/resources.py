"""Envoy resources as they are sent: packed once, named, with a version that is the hash of their content.
Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage

from lab.controlplane.xds.messages import TYPE_PREFIX, any_of

CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
ROUTES = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
SEND_ORDER = (CLUSTER, ENDPOINTS, LISTENER, ROUTES)
"""Clusters before what names them, so that a proxy never routes to a cluster it has not got."""


@dataclass(frozen=True, eq=False)
class Resource:
    """One packed resource. Equal content has an equal version. `pool` names the endpoints of a cluster."""

    name: str
    version: str
    body: AnyMessage
    pool: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and (self.name, self.version) == (other.name, other.version)

    def __hash__(self) -> int:
        return hash((self.name, self.version))

    @property
    def type_url(self) -> str:
        return str(self.body.type_url)


def resource(name: str, message: Any, pool: str = "") -> Resource:
    """Pack a message."""
    body = any_of(message)
    return Resource(name, blake2b(body.value, digest_size=8).hexdigest(), body, pool)


class ResourceSet(Mapping[str, Resource]):
    """The resources of one type by name; never changed, so that proxies can share it and compare by
    identity.
    """

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._by_name = {found.name: found for found in resources}

    def __getitem__(self, name: str) -> Resource:
        return self._by_name[name]

    def __iter__(self) -> Any:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @cached_property
    def version(self) -> str:
        """A hash over all names and versions."""
        text = "".join(f"{name}={found.version}\n" for name, found in sorted(self._by_name.items()))
        return blake2b(text.encode(), digest_size=8).hexdigest()


EMPTY = ResourceSet()
