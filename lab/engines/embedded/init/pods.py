"""Init's table of pod sandboxes: addresses, network namespaces and their removal.

Addresses go round through the pod network, so that one just freed is not handed out again at once. The
table lives only here: it dies with the namespaces it describes.
"""

import ipaddress
import signal
from dataclasses import dataclass
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.init import processes
from lab.engines.embedded.init.server import Reply
from lab.engines.embedded.init.worker import Worker
from lab.engines.embedded.namespaces import netns_path

FIRST_HOST = 2  # .1 is the gateway
KILL_ROUNDS = 20


@dataclass(frozen=True)
class Pod:
    """One sandbox."""

    uid: str
    cluster: str
    namespace: str
    name: str
    hostname: str
    ip: str

    @property
    def netns(self) -> str:
        return f"pod-{self.uid}"

    def describe(self) -> dict[str, Any]:
        """The fields of runtime.Sandbox."""
        return {
            "pod_uid": self.uid,
            "namespace": self.namespace,
            "name": self.name,
            "hostname": self.hostname,
            "ip": self.ip,
        }


class Addresses:
    """Hands out the addresses of one pod network in turn."""

    def __init__(self, cidr: str) -> None:
        self._network = ipaddress.IPv4Network(cidr)
        self._used: set[str] = set()
        self._next = FIRST_HOST

    def take(self) -> str:
        """The next free address. Raises LabError when the network is full."""
        room = self._network.num_addresses - FIRST_HOST - 1
        for _ in range(room):
            address = str(self._network[self._next])
            self._next = FIRST_HOST + (self._next - FIRST_HOST + 1) % room
            if address not in self._used:
                self._used.add(address)
                return address
        raise LabError(f"pod network {self._network} is full ({room} pods)", remedy="use a larger podCIDR")

    def give_back(self, address: str) -> None:
        """Free an address."""
        self._used.discard(address)


class Pods:
    """Pod sandboxes of all clusters."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._pods: dict[str, Pod] = {}
        self._waiting: dict[str, list[Reply]] = {}
        self.addresses: dict[str, Addresses] = {}

    def get(self, uid: str) -> Pod:
        if uid not in self._pods or uid in self._waiting:
            raise LabError(f"pod {uid} has no sandbox")
        return self._pods[uid]

    def of(self, cluster: str) -> list[Pod]:
        """A cluster's sandboxes."""
        return [p for p in self._pods.values() if p.cluster == cluster]

    def netns_inodes(self, cluster: str) -> list[int]:
        """The network namespaces of a cluster's pods, as the kernel numbers them."""
        return [inode for p in self.of(cluster) if (inode := _inode(p.netns))]

    def create(self, request: dict[str, Any], reply: Reply) -> None:
        """Make a sandbox, or answer with the one there is."""
        uid, cluster = request["pod_uid"], request["cluster"]
        if uid in self._waiting:
            self._waiting[uid].append(reply)
            return
        if known := self._pods.get(uid):
            reply.ok(known.describe())
            return
        ip = self._network(cluster).take()
        pod = Pod(uid, cluster, request["namespace"], request["name"], request["hostname"], ip)
        self._pods[uid] = pod
        self._waiting[uid] = [reply]

        def done(outcome: Any) -> None:
            waiting = self._waiting.pop(uid)
            if isinstance(outcome, Exception):
                self._drop(uid)
            for each in waiting:
                each.done(outcome if isinstance(outcome, Exception) else pod.describe())

        self._worker.call("add_pod", {"cluster": cluster, "netns": pod.netns, "ip": ip}, done)

    def remove(self, uid: str, reply: Reply) -> None:
        """Kill what runs in the sandbox and drop it; a pod that is not there is fine."""
        if uid not in self._pods:
            reply.ok()
            return
        pod = self._pods[uid]
        kill_all([_inode(pod.netns)])
        self._drop(uid)
        self._worker.call("remove_pod", {"netns": pod.netns}, reply.done)

    def drop_cluster(self, cluster: str) -> list[Pod]:
        """Forget all pods of a cluster and return them; their processes are dead by now."""
        gone = self.of(cluster)
        for pod in gone:
            self._drop(pod.uid)
        self.addresses.pop(cluster, None)
        return gone

    def _drop(self, uid: str) -> None:
        pod = self._pods.pop(uid)
        if pod.cluster in self.addresses:
            self.addresses[pod.cluster].give_back(pod.ip)

    def _network(self, cluster: str) -> Addresses:
        if cluster not in self.addresses:
            raise LabError(f"cluster {cluster!r} is not part of this lab")
        return self.addresses[cluster]


def kill_all(inodes: list[int]) -> None:
    """Kill every process of these network namespaces, also those forked meanwhile."""
    for _ in range(KILL_ROUNDS):
        alive = [p for p in processes.members("net", inodes) if processes.state(p) not in ("", "Z", "X")]
        if not alive:
            return
        processes.send(alive, signal.SIGKILL)


def _inode(netns: str) -> int:
    import os

    try:
        return os.stat(netns_path(netns)).st_ino
    except OSError:
        return 0
