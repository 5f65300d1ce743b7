"""pods/eviction and pods/binding."""

from dataclasses import replace

from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import Target, bad_request, conflict
from lab.pocket.apiserver.http.body import decode_object
from lab.pocket.apiserver.storage.record import Object

from .delete import Options, delete_record
from .objects import find
from .update import Edit, edit


async def create(api: Api, call: Call) -> Answer:
    """An eviction is a delete: the lab keeps no disruption budgets."""
    body = decode_object(call.body, call.content_type)
    options = body.get("deleteOptions") or {}
    wanted = options.get("preconditions") or {}
    delete_record(
        api,
        replace(call, subresource=""),
        find(api, call),
        Options(options.get("gracePeriodSeconds"), uid=str(wanted.get("uid") or "")),
    )
    return Answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)


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
