"""A topology and the shipped manifests → the objects that each cluster's apps and traffic consist of.

Pure: the manifests come in as parsed objects. `lab.ops` applies the result; comparing it with what
is there tells whether anything is left to do.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.kube import objects
from lab.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, HTTP_ROUTES, SERVICE_ACCOUNTS, SERVICES, Kind
from lab.kube.objects import Object
from lab.plan.desired import failover_targets
from lab.topology.model import APP_SERVICES, App, Mode, Topology

Manifests = Mapping[str, Sequence[Object]]
"""Parsed manifests by app name ("shop", "echo") and "traffic"."""

LAB_LABEL = "multicluster.lab/lab"
PART_LABEL = "multicluster.lab/part"
"""Which part of the topology an object belongs to: an app's name, or `traffic`."""
APPS_IMAGE = "multicluster.lab/apps:dev"
"""What the shipped manifests run; `apps-image` of the topology replaces it."""
HASH_ANNOTATION = "multicluster.lab/hash"
TRAFFIC = "traffic"
PART_KINDS: tuple[Kind, ...] = (DEPLOYMENTS, SERVICES, SERVICE_ACCOUNTS, CONFIG_MAPS, HTTP_ROUTES)
"""Kinds that the parts of a topology consist of."""
OWN = f"{PART_LABEL},!mirror.linkerd.io/mirrored-service"
"""Selects what the lab applied; mirrors carry the labels of the service they stand for, too."""

EXPORTED = "mirror.linkerd.io/exported"
FEDERATED = "mirror.linkerd.io/federated"
LOCAL_WEIGHT, REMOTE_WEIGHT = 1000, 1
"""Weights of the failover route: a backend with weight 0 would never be chosen, so remote gets the least."""


def app_objects(topology: Topology, app: str, cluster: str, manifests: Manifests) -> tuple[Object, ...]:
    """Everything an app consists of in one cluster, in the order of its manifests."""
    found: list[Object] = []
    for part in topology.apps:
        if part.app == app and cluster in topology.clusters_of(part):
            found += [_placed(obj, part) for obj in manifests[app] if obj["kind"] != "Namespace"]
            found += _lab_info(manifests[app], topology.name, cluster)
            found += _failover(topology, part, cluster)
    return _marked(found, topology, app)


def namespaces(topology: Topology, manifests: Manifests) -> tuple[Object, ...]:
    """The namespaces of all apps and of the traffic, the same for every cluster.

    A cluster needs them for mirrors even of an app that runs only elsewhere.
    """
    names = dict.fromkeys([*(app.app for app in topology.apps), TRAFFIC])
    return tuple(obj for name in names for obj in manifests[name] if obj["kind"] == "Namespace")


def traffic_objects(topology: Topology, cluster: str, manifests: Manifests) -> tuple[Object, ...]:
    """The load generator of one cluster with its targets; nothing when no traffic starts there."""
    targets = traffic_targets(topology, cluster)
    if not targets:
        return ()
    placed = [copy.deepcopy(obj) for obj in manifests[TRAFFIC] if obj["kind"] != "Namespace"]
    for obj in placed:
        if obj["kind"] == "ConfigMap" and objects.name(obj) == "loadgen-targets":
            obj["data"] = {"targets.json": json.dumps({"targets": targets}, sort_keys=True)}
    return _marked([*placed, *_lab_info(manifests[TRAFFIC], topology.name, cluster)], topology, TRAFFIC)


def idle(traffic: Sequence[Object]) -> tuple[Object, ...]:
    """The same load generator without anything to call; its mark says that it is not what is wanted."""
    found = copy.deepcopy(list(traffic))
    for obj in found:
        if objects.name(obj) == "loadgen-targets":
            obj["data"] = {"targets.json": json.dumps({"targets": {}})}
            obj["metadata"]["annotations"][HASH_ANNOTATION] = "idle"
    return tuple(found)


def traffic_targets(topology: Topology, cluster: str) -> dict[str, dict[str, Any]]:
    """The load generator's targets in one cluster, by name."""
    return {
        traffic.label: {
            "url": traffic.to,
            "rate": traffic.rate,
            **({"headers": dict(traffic.headers)} if traffic.headers else {}),
        }
        for traffic in topology.traffic
        if traffic.from_ == cluster
    }


def _placed(obj: Object, app: App) -> Object:
    placed = copy.deepcopy(obj)
    if obj["kind"] == "Deployment":
        placed["spec"]["replicas"] = app.replicas
    if obj["kind"] == "Service" and (modes := app.export.get(objects.name(obj))):
        placed["metadata"].setdefault("labels", {}).update(export_labels(modes))
    return placed


def export_labels(modes: Iterable[Mode]) -> dict[str, str]:
    """The labels that export a Service in these modes (gateway and flat exclude each other)."""
    labels = {
        "gateway": (EXPORTED, "true"),
        "flat": (EXPORTED, "remote-discovery"),
        "federated": (FEDERATED, "member"),
    }
    return dict(labels[mode] for mode in modes)


def _lab_info(manifests: Sequence[Object], lab: str, cluster: str) -> list[Object]:
    """What pods are told about where they run: a ConfigMap in each namespace of the app."""
    spaces = [objects.name(obj) for obj in manifests if obj["kind"] == "Namespace"]
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "lab-info", "namespace": space},
            "data": {"lab": lab, "cluster": cluster},
        }
        for space in spaces
    ]


def _failover(topology: Topology, app: App, cluster: str) -> list[Object]:
    """A route on the app's entry service: the local pods, and the mirrors while there are none."""
    entry = APP_SERVICES[app.app][0]
    remotes = failover_targets(topology, app, cluster)
    if not remotes:
        return []
    backends = [(entry, LOCAL_WEIGHT), *((f"{entry}-{remote}", REMOTE_WEIGHT) for remote in remotes)]
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": f"{entry}-failover", "namespace": app.app},
            "spec": {
                "parentRefs": [{"group": "", "kind": "Service", "name": entry, "port": 80}],
                "rules": [
                    {
                        "backendRefs": [
                            {"name": name, "port": 80, "weight": weight} for name, weight in backends
                        ]
                    }
                ],
            },
        }
    ]


def _marked(found: Sequence[Object], topology: Topology, part: str) -> tuple[Object, ...]:
    """The objects with the image that is wanted, and the marks by which the lab finds them again and sees
    whether they changed."""
    for obj in found:
        _run_image(obj, topology.apps_image)
        digest = objects.content_hash(obj)
        obj["metadata"].setdefault("labels", {}).update({LAB_LABEL: topology.name, PART_LABEL: part})
        obj["metadata"].setdefault("annotations", {})[HASH_ANNOTATION] = digest
    return tuple(found)


def _run_image(obj: Object, image: str | None) -> None:
    if image and obj["kind"] == DEPLOYMENTS.kind:
        for container in obj["spec"]["template"]["spec"]["containers"]:
            if container["image"] == APPS_IMAGE:
                container["image"] = image
