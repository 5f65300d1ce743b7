"""Environment variables that tell a container of the Services of its namespace. Pure.

As upstream: those that are there when the container starts, of Services with a ClusterIP, in the form
that Docker's links once had.
"""

from collections.abc import Iterable

from lab.kube.objects import Object, name, spec

MOST = 100
"""Services told at most: some two thousand mirrors in one namespace would not fit into an environment."""


def service_variables(services: Iterable[Object]) -> dict[str, str]:
    """The variables of these Services, by name up to `MOST` of them."""
    reachable = [
        s for s in services if spec(s).get("ports") and spec(s).get("clusterIP") not in (None, "", "None")
    ]
    result: dict[str, str] = {}
    for service in sorted(reachable, key=name)[:MOST]:
        result |= _variables(service)
    return result


def _variables(service: Object) -> dict[str, str]:
    prefix = name(service).upper().replace("-", "_")
    ip, ports = spec(service)["clusterIP"], spec(service)["ports"]
    result = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            result[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{ip}:{port['port']}"
        link = f"{prefix}_PORT_{port['port']}_{protocol}"
        result |= {f"{prefix}_PORT": url} if index == 0 else {}
        result |= {
            link: url,
            f"{link}_PROTO": protocol.lower(),
            f"{link}_PORT": str(port["port"]),
            f"{link}_ADDR": ip,
        }
    return result
