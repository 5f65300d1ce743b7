"""The mutating admission webhook: AdmissionReview in, AdmissionReview with a JSON patch out.

Decides nothing itself: it finds the pod's namespace and asks patch.py.
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.base.log import get_logger
from lab.controlplane import admin
from lab.controlplane.inject.patch import patch
from lab.controlplane.inject.settings import Config, why_not
from lab.kube.client import Client
from lab.kube.errors import ApiError
from lab.kube.informer import Informer
from lab.kube.kinds import NAMESPACES
from lab.kube.objects import Object, meta

log = get_logger(__name__)


@dataclass
class Injector:
    """The webhook's view: namespaces by informer, trust anchors from a mounted file."""

    client: Client
    namespaces: Informer
    roots: Path
    version: str
    metrics: admin.Metrics = field(default_factory=admin.Metrics)

    def why_not_ready(self) -> str:
        return "" if self.namespaces.synced.is_set() else "the namespaces have not been listed yet"

    async def namespace(self, name: str) -> Object:
        """A namespace; one younger than the informer's last news is asked for."""
        known = self.namespaces.get("", name)
        return known or await self.client.get(NAMESPACES, name)

    async def review(self, review: Object) -> Object:
        """The answer to an AdmissionReview."""
        request = review["request"]
        pod, namespace_name = request["object"], str(request.get("namespace", ""))
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        namespace = await self.namespace(namespace_name)
        config = Config(trust_anchors=self.roots.read_text(), version=self.version)
        operations = patch(pod, namespace, namespace_name, config)
        name = meta(pod).get("name") or meta(pod).get("generateName", "")
        if operations:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(operations).encode()).decode()
            log.info("injected", namespace=namespace_name, pod=name)
        else:
            reason = why_not(pod, namespace, namespace_name)
            log.info("not injected", namespace=namespace_name, pod=name, reason=reason)
        self.metrics.add("proxy_inject_admission_responses_total", skip="false" if operations else "true")
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def application(injector: Injector) -> web.Application:
    """The webhook's HTTP face."""
    injector.metrics.declare("proxy_inject_admission_responses_total", "counter", "Pods seen, by outcome.")

    async def mutate(request: web.Request) -> web.Response:
        try:
            review = json.loads(await request.read())
            return web.json_response(await injector.review(review))
        except (ValueError, KeyError, TypeError) as error:
            log.warning("not an AdmissionReview", error=error)
            return web.Response(status=400, text=f"not an AdmissionReview of a pod: {error}\n")
        except (ApiError, OSError) as error:
            log.error("cannot judge the pod", error=error)
            return web.Response(status=500, text=f"{error}\n")

    app = web.Application(client_max_size=8 << 20)
    app.add_routes([web.post("/", mutate), web.post("/mutate", mutate)])
    return app
