"""What init does on request: the operations of the control protocol, one method each.

Holds the lab's tables (clusters, components, pods, containers) together; the tables do the work. Nothing
here blocks: slow network changes go to the worker, slow readings to a short child.
"""

import importlib
import os
import signal
import socket
import threading
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.images import Images
from lab.engines.embedded.init import processes
from lab.engines.embedded.init.cgroups import Cgroups
from lab.engines.embedded.init.children import Children
from lab.engines.embedded.init.components import Component, Supervisor
from lab.engines.embedded.init.containers import Containers, Surroundings
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.init.pods import Addresses, Pods, kill_all
from lab.engines.embedded.init.server import Operation, Reply, Server
from lab.engines.embedded.init.worker import NETWORK, RELAY, Worker
from lab.engines.embedded.namespaces import inside, netns_path
from lab.engines.embedded.spawn import Process, Program
from lab.engines.embedded.wire import Message

END_POLL = 0.02
ETH_P_ALL = 3
NETWORK_FUNCTIONS = frozenset(
    {
        "set_routes",
        "set_drops",
        "set_dns_failures",
        "make_relay_link",
        "set_detours",
        "read_drops",
        "describe_network",
    }
)
RELAY_FUNCTIONS = frozenset({"set_table", "read_table"})


@dataclass
class Cluster:
    """A cluster as init knows it; `plan` is what the engine asked for."""

    name: str
    plan: dict[str, Any]
    listener: socket.socket
    paused: bool = False

    @property
    def netns(self) -> str:
        return f"node-{self.name}"


class Operations:
    """The lab's state in init and the requests that change it."""

    def __init__(self, loop: Loop, logs: Path, control: Path, cgroups: Cgroups) -> None:
        self._loop = loop
        self._logs = logs
        self._clusters: dict[str, Cluster] = {}
        self.server = Server(loop, control, self.table())
        self._children = Children(loop)
        self._supervisor = Supervisor(loop, self._children, self._is_paused)
        self._worker = Worker(loop, self._supervisor, logs, NETWORK)
        self._relay: Worker | None = None  # started when the first path is impaired
        self._pods = Pods(self._worker)
        self._cgroups = cgroups
        self._containers = Containers(loop, self._children, cgroups, self.server.publish)

    def table(self) -> dict[str, Operation]:
        """Operation names as clients use them."""
        return {
            "list": lambda m, f, r: r.ok(self.describe()),
            "configure": self.configure,
            "warm": self.warm,
            "add-cluster": self.add_cluster,
            "remove-cluster": self.remove_cluster,
            "network": self.network,
            "relay": self.relay,
            "kill-node": self.kill_node,
            "start-component": self.start_component,
            "stop-component": lambda m, f, r: self._supervisor.stop(m["key"], r.done),
            "resume-component": self.resume_component,
            "sandbox": lambda m, f, r: self._pods.create(m, r),
            "remove-sandbox": self.remove_sandbox,
            "start": self.start_container,
            "exec": lambda m, f, r: self._containers.exec(m, r),
            "attach": lambda m, f, r: self._containers.attach(m, r),
            "signal": self.signal_container,
            "resize": self.resize_exec,
            "containers": lambda m, f, r: r.ok(self._containers.list(m["cluster"])),
            "subscribe": self.subscribe,
            "pause": lambda m, f, r: r.ok(self.pause(m["cluster"], paused=True)),
            "resume": lambda m, f, r: r.ok(self.pause(m["cluster"], paused=False)),
            "stats": self.stats,
            "kernel": self.kernel,
            "packets": self.packets,
            "shutdown": self.shutdown,
        }

    def describe(self) -> dict[str, Any]:
        """Everything the engine wants to see, read from the kernel where that is cheap."""
        return {
            "clusters": list(map(self._describe, self._clusters.values())),
            "components": self._supervisor.describe(),
            "why_no_limits": self._cgroups.why_not,
        }

    def _describe(self, cluster: Cluster) -> dict[str, Any]:
        stopped, alive = processes.halted(self._pids(cluster))
        return {
            "name": cluster.name,
            "plan": cluster.plan,
            "port": cluster.listener.getsockname()[1],
            "paused": 0 < stopped == alive,
            "halted": stopped,
            "dead": self._is_dead(cluster),
            "pods": [p.describe() for p in self._pods.of(cluster.name)],
        }

    def configure(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Set what all containers share: image table, PATH and host folders that stay visible."""
        images = Images({k: tuple(v) for k, v in request["images"].items()})
        self._containers.surroundings = Surroundings(images, tuple(request["keep_paths"]), request["path"])
        reply.ok()

    def warm(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Import modules here, so that all later children share them; they must not start threads.

        With `later` they are imported one by one between other requests, and the answer comes at once.
        """
        modules: list[str] = request["modules"]
        if request.get("later"):
            self._import_in_turn(modules)
        else:
            for module in modules:
                self._import(module)
        reply.ok()

    def _import_in_turn(self, modules: list[str]) -> None:
        if modules:
            self._loop.later(0, partial(self._import_in_turn, modules[1:]))
            self._import(modules[0])

    def _import(self, module: str) -> None:
        importlib.import_module(module)
        if threading.active_count() > 1:
            raise LabError(f"importing {module} started a thread in init")

    def add_cluster(self, request: Message, fds: list[int], reply: Reply) -> None:
        """Set up a cluster's node network; takes the host listener of its API server."""
        plan = request["plan"]
        name = plan["name"]
        if name in self._clusters:
            raise LabError(f"cluster {name!r} is there already")
        listener = socket.socket(fileno=fds[0])
        listener.setblocking(False)
        self._clusters[name] = Cluster(name, plan, listener)
        self._pods.addresses[name] = Addresses(plan["pod_cidr"])

        def done(outcome: Any) -> None:
            if isinstance(outcome, Exception):
                self._clusters.pop(name).listener.close()
            reply.done(outcome)

        self._worker.call("add_node", {"plan": plan}, done)

    def remove_cluster(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Kill everything of a cluster and drop its networks."""
        cluster = self._cluster(request["cluster"])
        self._supervisor.forget(cluster.name)
        kill_all(self._inodes(cluster))
        gone = self._pods.drop_cluster(cluster.name)
        self._containers.forget({p.uid for p in gone})
        for pod in gone:
            self._worker.call("remove_pod", {"netns": pod.netns}, lambda outcome: None)
        del self._clusters[cluster.name]
        cluster.listener.close()
        self._worker.call("remove_node", {"cluster": cluster.name}, reply.done)

    def network(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Run one of the allowed functions in the network worker."""
        if request["function"] not in NETWORK_FUNCTIONS:
            raise LabError(f"{request['function']!r} is not a network function of the lab")
        self._worker.call(request["function"], request["arguments"], reply.done)

    def relay(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Run one of the allowed functions in the relay, which is started if it does not run yet."""
        if request["function"] not in RELAY_FUNCTIONS:
            raise LabError(f"{request['function']!r} is not a function of the lab's relay")
        if self._relay is None:
            self._relay = Worker(self._loop, self._supervisor, self._logs, RELAY)
        self._relay.call(request["function"], request["arguments"], reply.done)

    def start_component(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Start and supervise a program in a cluster's node network namespace."""
        cluster = self._cluster(request["cluster"])
        name = request["name"]
        listener = cluster.listener if request.get("listener") else None
        argv = tuple(a.replace("{fd}", str(listener.fileno())) if listener else a for a in request["argv"])
        program = Program(argv=argv, entry=request["entry"])
        process = Process(program, name=name, netns=cluster.netns, env=request["env"], hostname=cluster.name)
        log = self._logs / f"{cluster.name}-{name}.log"
        key = f"{cluster.name}/{name}"
        self._supervisor.start(Component(key, cluster.name, process, str(log), listener))
        reply.ok()

    def kill_node(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Kill a cluster's node process, then everything in its pods, and keep the node down."""
        cluster = self._cluster(request["cluster"])

        def node_is_gone(outcome: Any) -> None:
            kill_all(self._pods.netns_inodes(cluster.name))
            processes.send(self._containers.pids(cluster.name), signal.SIGKILL)
            reply.done(outcome)

        self._supervisor.kill(f"{cluster.name}/node", node_is_gone)

    def remove_sandbox(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Drop a pod with its containers' records."""
        self._containers.forget({request["pod_uid"]})
        self._pods.remove(request["pod_uid"], reply)

    def start_container(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Start a container in its pod's sandbox."""
        pod = self._pods.get(request["container"]["pod_uid"])
        self._containers.start(request, pod.hostname, reply)

    def resume_component(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Start a component again that was stopped."""
        self._supervisor.resume(request["key"])
        reply.ok()

    def signal_container(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Signal a container's first process."""
        self._containers.signal(request["id"], request["signal"])
        reply.ok()

    def resize_exec(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Set the size of an exec's terminal."""
        self._containers.resize(request["id"], request["columns"], request["rows"])
        reply.ok()

    def subscribe(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Follow the ends of a cluster's containers."""
        reply.subscribe(request["cluster"])
        reply.ok()

    def pause(self, name: str, *, paused: bool) -> int:
        """Stop or continue every process of a cluster; returns how many there are."""
        cluster = self._cluster(name)
        cluster.paused = paused
        if paused:
            return processes.freeze(lambda: self._pids(cluster))
        pids = self._pids(cluster)
        processes.send(pids, signal.SIGCONT)
        self._supervisor.start_missing(name)
        return len(pids)

    def stats(self, _request: Message, _fds: list[int], reply: Reply) -> None:
        """Memory and processor time per unit; read in a child because PSS is slow to read."""
        containers = self._containers.mount_namespaces()
        components = self._supervisor.running()

        def work() -> dict[str, Any]:
            units = {key: [pid] for key, pid in components.items()}
            units |= {key: processes.members("mnt", [inode]) for key, inode in containers.items()}
            units["lab/init"] = [1]
            return {key: asdict(processes.cost(pids)) for key, pids in units.items()}

        self._children.offload(work, reply.done)

    def kernel(self, _request: Message, _fds: list[int], reply: Reply) -> None:
        """Answer with a pipe that gives what the kernel knows of every network namespace of the lab."""
        nodes = [cluster.netns for cluster in self._clusters.values()]
        pods = [pod.netns for name in self._clusters for pod in self._pods.of(name)]

        def work() -> dict[str, Any]:
            from lab.engines.embedded.network.facts import facts  # netlink's library: not in init itself

            return facts(["", *nodes, *pods])

        fd = self._children.pour(work)
        reply.ok(None, (fd,))
        os.close(fd)

    def packets(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """Answer with a socket that gets every packet of one link of a network namespace."""
        with inside(request["netns"]):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            with sock:
                sock.bind((request["link"], ETH_P_ALL))
                reply.ok(None, (sock.fileno(),))

    def shutdown(self, request: Message, _fds: list[int], reply: Reply) -> None:
        """End the lab: ask everything to stop, then leave; the kernel removes what remains."""
        self._supervisor.retire()
        processes.send(processes.all_pids(), signal.SIGCONT)
        processes.send(processes.all_pids(), signal.SIGTERM)
        reply.ok()
        self._stop_when_empty(rounds=int(float(request["grace"]) / END_POLL))

    def _stop_when_empty(self, rounds: int) -> None:
        if rounds <= 0 or not processes.all_pids():
            self._loop.stop()
        else:
            self._loop.later(END_POLL, lambda: self._stop_when_empty(rounds - 1))

    def _cluster(self, name: str) -> Cluster:
        if name not in self._clusters:
            known = ", ".join(sorted(self._clusters)) or "none"
            raise LabError(f"no cluster {name!r} in this lab; there are {known}")
        return self._clusters[name]

    def _is_dead(self, cluster: Cluster) -> bool:
        """Whether the node is down on purpose and nothing is left in its pods."""
        if not self._supervisor.is_stopped(f"{cluster.name}/node"):
            return False
        inside = processes.members("net", self._pods.netns_inodes(cluster.name))
        return not {*inside, *self._containers.pids(cluster.name)}

    def _is_paused(self, name: str) -> bool:
        return name in self._clusters and self._clusters[name].paused

    def _pids(self, cluster: Cluster) -> set[int]:
        """All processes of a cluster: those in its networks, and those init has just forked for it."""
        inside = processes.members("net", self._inodes(cluster))
        forked = (*self._supervisor.pids(cluster.name), *self._containers.pids(cluster.name))
        return {*inside, *forked}

    def _inodes(self, cluster: Cluster) -> list[int]:
        return [os.stat(netns_path(cluster.netns)).st_ino, *self._pods.netns_inodes(cluster.name)]
