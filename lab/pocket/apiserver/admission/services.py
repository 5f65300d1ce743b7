"""Addresses of Services: cluster IPs from the service CIDR, node ports from 30000-32767.

`Addresses` follows the store's changes, so what is free is known without reading all Services; the
store's single thread makes looking and taking one step.
"""

import ipaddress
import secrets
from collections.abc import Container

from lab.pocket.apiserver.context import Api
from lab.pocket.apiserver.errors import Cause, Target, invalid, invalid_value
from lab.pocket.apiserver.storage.record import Change, Object
from lab.pocket.apiserver.storage.store import Store

PREFIX = "/services"
NODE_PORTS = range(30000, 32768)
_DNS_OFFSET = 10
_NODE_PORT_TYPES = ("NodePort", "LoadBalancer")


class Addresses:
    """Cluster IPs and node ports in use, with the uid of the Service that has them."""

    def __init__(self, store: Store) -> None:
        self.addresses: dict[str, str] = {}
        self.ports: dict[int, str] = {}
        for record in store.iterate(PREFIX):
            self._take(record.obj)
        store.observe(PREFIX, self._follow)

    def _follow(self, change: Change) -> None:
        if change.previous is not None:
            self._release(change.previous.obj)
        if change.type != "DELETED":
            self._take(change.record.obj)

    def _take(self, service: Object) -> None:
        uid, spec = service["metadata"]["uid"], service.get("spec") or {}
        if spec.get("clusterIP") not in (None, "", "None"):
            self.addresses[spec["clusterIP"]] = uid
        self.ports.update({p["nodePort"]: uid for p in spec.get("ports") or [] if p.get("nodePort")})

    def _release(self, service: Object) -> None:
        spec = service.get("spec") or {}
        self.addresses.pop(spec.get("clusterIP", ""), None)
        for port in spec.get("ports") or []:
            self.ports.pop(port.get("nodePort", 0), None)


def assign(api: Api, service: Object, old: Object | None) -> None:
    spec = service["spec"]
    before = (old or {}).get("spec") or {}
    if spec.get("type") == "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            spec.pop(field, None)
        return
    if before.get("clusterIP") and not spec.get("clusterIP"):
        spec["clusterIP"] = before["clusterIP"]
    _cluster_ip(api, service, before)
    spec["clusterIPs"] = [spec["clusterIP"]]
    _node_ports(api, service, before)


def _target(service: Object) -> Target:
    return Target("services", "", service["metadata"].get("name", ""), "Service")


def _cluster_ip(api: Api, service: Object, before: Object) -> None:
    spec = service["spec"]
    wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
    if wanted in ("None", before.get("clusterIP")) and wanted:
        spec["clusterIP"] = wanted
        return
    network = ipaddress.ip_network(api.settings.service_cidr)
    taken = api.addresses.addresses
    if wanted:
        causes = _check_wanted(wanted, network, taken)
        if causes:
            raise invalid(_target(service), causes)
        spec["clusterIP"] = wanted
        return
    spec["clusterIP"] = _free(network, taken, service)


def _check_wanted(
    wanted: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network, taken: Container[str]
) -> list[Cause]:
    try:
        inside = ipaddress.ip_address(wanted) in network
    except ValueError:
        return [invalid_value("spec.clusterIPs[0]", wanted, "must be a valid IP address, (e.g. 10.9.8.7)")]
    if not inside:
        text = f"failed to allocate IP {wanted}: the provided IP is not in the valid range {network}"
        return [invalid_value("spec.clusterIPs", [wanted], text)]
    if wanted in taken:
        text = f"failed to allocate IP {wanted}: provided IP is already allocated"
        return [invalid_value("spec.clusterIPs", [wanted], text)]
    return []


def _free(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, taken: Container[str], service: Object
) -> str:
    size = network.num_addresses
    base = int(network.network_address)
    start = secrets.randbelow(max(size - 2, 1))
    for step in range(size):
        offset = 1 + (start + step) % (size - 2)
        if offset in (1, _DNS_OFFSET):
            continue
        address = str(ipaddress.ip_address(base + offset))
        if address not in taken:
            return address
    text = f"failed to allocate a serviceIP: range {network} is full"
    raise invalid(_target(service), [Cause("spec.clusterIPs", text)])


def _node_ports(api: Api, service: Object, before: Object) -> None:
    spec = service["spec"]
    ports = spec.get("ports") or []
    if spec.get("type") not in _NODE_PORT_TYPES or spec.get("allocateLoadBalancerNodePorts") is False:
        for port in ports:
            port.pop("nodePort", None)
        return
    own = {(p.get("protocol"), p.get("port")): p.get("nodePort") for p in before.get("ports") or []}
    uid = service["metadata"].get("uid")
    taken = {port for port, holder in api.addresses.ports.items() if holder != uid}
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}].nodePort"
        wanted = port.get("nodePort") or own.get((port.get("protocol"), port.get("port")))
        if wanted and wanted in taken:
            raise invalid(_target(service), [invalid_value(at, wanted, "provided port is already allocated")])
        if wanted and wanted not in NODE_PORTS:
            text = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            raise invalid(_target(service), [invalid_value(at, wanted, text)])
        port["nodePort"] = wanted or _free_port(taken)
        taken.add(port["nodePort"])


def _free_port(taken: Container[int]) -> int:
    start = secrets.randbelow(len(NODE_PORTS))
    for step in range(len(NODE_PORTS)):
        port = NODE_PORTS[(start + step) % len(NODE_PORTS)]
        if port not in taken:
            return port
    raise invalid(Target("services", kind="Service"), [Cause("spec.ports", "no node port is free")])
