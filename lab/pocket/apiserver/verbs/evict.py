"""pods/eviction and pods/binding."""

from collections.abc import Iterator
from dataclasses import replace

from lab.kube.selectors import from_label_selector
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import Target, bad_request, conflict
from lab.pocket.apiserver.http.body import decode_object
from lab.pocket.apiserver.storage.record import Object, Record

from .delete import delete_record
from .deleteoptions import parsed
from .objects import find
from .update import Edit, edit


async def create(api: Api, call: Call) -> Answer:
    """An eviction is a delete: disruption budgets are stored, and whom they would guard is told."""
    body = decode_object(call.body, call.content_type)
    _check_name(call, body)
    options = parsed({"dryRun": call.query.get("dryRun"), **(body.get("deleteOptions") or {})})
    pod = find(api, call)
    call = options.on(call)
    call.warnings.extend(_unguarded(api, pod))
    delete_record(api, replace(call, subresource=""), pod, options)
    return Answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)


def _check_name(call: Call, body: Object) -> None:
    name = (body.get("metadata") or {}).get("name")
    if name != call.name:
        raise bad_request(f"name in URL does not match name in Eviction object: {name!r}".replace("'", '"'))


def _unguarded(api: Api, pod: Record) -> Iterator[str]:
    labels = pod.obj["metadata"].get("labels") or {}
    for record in api.store.iterate("policy/poddisruptionbudgets", pod.key.namespace):
        selector = from_label_selector((record.obj.get("spec") or {}).get("selector") or {})
        if selector.matches(labels):
            yield f"PodDisruptionBudget {record.key.name} is stored, not acted on: it did not guard this pod"


async def bind(api: Api, call: Call) -> Answer:
    body = decode_object(call.body, call.content_type)
    node = (body.get("target") or {}).get("name")
    if not node:
        raise bad_request("target.name is required to bind a pod")

    def change(pod: Object) -> Object:
        bound = (pod.get("spec") or {}).get("nodeName")
        if bound:
            why = f'pod {call.name} is already assigned to node "{bound}"'
            raise conflict(Target("pods/binding", "", call.name), why)
        pod["spec"]["nodeName"] = node
        return pod

    await edit(api, replace(call, subresource="", verb="update"), Edit(change))
    return Answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)
