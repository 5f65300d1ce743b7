"""What every part of the node works with, made once by `agent.run`."""

from dataclasses import dataclass

from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.objects import Object
from lab.pocket.events import Recorder
from lab.pocket.node.claims import Claims
from lab.pocket.node.config import NodeConfig
from lab.pocket.node.environment import Lookup
from lab.pocket.node.execs import Execs
from lab.pocket.node.logtimes import LogTimes
from lab.pocket.node.runtime import PodRuntime


@dataclass(frozen=True)
class Kit:
    config: NodeConfig
    runtime: PodRuntime
    client: Client
    recorder: Recorder
    execs: Execs
    config_maps: Informer
    secrets: Informer
    service_accounts: Informer
    services: Informer
    log_times: LogTimes
    claims: Claims

    def lookup(self, namespace: str) -> Lookup:
        """ConfigMaps and Secrets of one namespace, from memory."""

        def find(kind: str, name: str) -> Object | None:
            informer = self.secrets if kind == "Secret" else self.config_maps
            return informer.get(namespace, name)

        return find
