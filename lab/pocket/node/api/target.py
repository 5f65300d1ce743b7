"""Finds the pod and container that a request to the kubelet API means."""

from aiohttp import web

from lab.pocket.node.kit import Kit
from lab.pocket.node.pods import Pods
from lab.pocket.node.tracked import Tracked
from lab.pocket.node.worker import PodWorker

PODS = web.AppKey("pods", Pods)
KIT = web.AppKey("kit", Kit)


def pod_of(request: web.Request) -> PodWorker:
    """The pod's worker; answers 404 when it is not on this node."""
    space, pod = request.match_info["namespace"], request.match_info["pod"]
    worker = request.app[PODS].find(space, pod)
    if worker is None:
        raise web.HTTPNotFound(text=f"pod {space}/{pod} is not on this node")
    return worker


def container_of(request: web.Request) -> tuple[PodWorker, Tracked]:
    """The container, running or not; answers 404 when the pod has none of that name."""
    worker, wanted = pod_of(request), request.match_info["container"]
    tracked = worker.container(wanted)
    if tracked is None:
        raise web.HTTPNotFound(text=f"container {wanted} not found in pod {request.match_info['pod']}")
    return worker, tracked


def running_of(request: web.Request) -> tuple[PodWorker, Tracked]:
    """The container, which must be running; the answer when it is not is upstream's."""
    worker, tracked = container_of(request)
    if not tracked.view().running:
        raise web.HTTPInternalServerError(text=f'container not found ("{tracked.name}")')
    return worker, tracked
