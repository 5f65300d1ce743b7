"""Which routes apply to a Service port for callers of a namespace (GAMMA): producer or consumer, one kind
only. Pure.
"""

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import PortRef
from lab.controlplane.model.services import ServicePort
from lab.controlplane.model.world import is_service_parent
from lab.kube.objects import Object, meta, name, namespace, spec


def consumer_namespaces(reader: Reader, ref: PortRef) -> tuple[str, ...]:
    """Namespaces whose own routes replace the Service owner's for their callers."""
    routes = reader.cell("routes", ref.namespace, ref.service) or ()
    return tuple(sorted({namespace(r) for r in routes if namespace(r) != ref.namespace}))


def attached(reader: Reader, ref: PortRef, port: ServicePort, client: str) -> tuple[Object, ...]:
    """The routes that decide about this port for callers in namespace `client`, of one kind, oldest first.

    A consumer's routes replace the producer's as a whole; GRPCRoutes win over HTTPRoutes on the same port.
    """
    routes = reader.cell("routes", ref.namespace, ref.service) or ()
    here = [route for route in routes if any(selects(parent, route, ref, port) for parent in parents(route))]
    consumer = [route for route in here if namespace(route) == client != ref.namespace]
    chosen = consumer or [route for route in here if namespace(route) == ref.namespace]
    grpc = [route for route in chosen if route["kind"] == "GRPCRoute"]
    return tuple(sorted(grpc or chosen, key=age))


def parents(route: Object) -> list[Object]:
    """The parentRefs of a route that name Services."""
    return [parent for parent in spec(route).get("parentRefs") or [] if is_service_parent(parent)]


def selects(parent: Object, route: Object, ref: PortRef, port: ServicePort) -> bool:
    """Whether a parentRef takes in this port: `port` and `sectionName` must both fit where given."""
    where = (parent.get("namespace") or namespace(route), parent.get("name"))
    return (
        where == (ref.namespace, ref.service)
        and parent.get("port") in (None, ref.port)
        and parent.get("sectionName") in (None, port.name)
    )


def age(route: Object) -> tuple[str, str]:
    """The order that breaks ties between routes: oldest, then by namespace and name."""
    return str(meta(route).get("creationTimestamp") or ""), f"{namespace(route)}/{name(route)}"
