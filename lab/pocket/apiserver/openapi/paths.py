"""The `paths` part of OpenAPI documents: enough for clients to find kinds and supported parameters. Pure."""

from typing import Any

from lab.pocket.apiserver.resources.model import Resource

Object = dict[str, Any]

_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_LIST_PARAMETERS = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_PATCH_TYPES = (
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)  # fmt: skip


def of(resource: Resource, model: str) -> Object:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    space = "/namespaces/{namespace}" if resource.namespaced else ""
    collection, single = f"{root}{space}/{resource.plural}", f"{root}{space}/{resource.plural}/{{name}}"
    found = {
        collection: _item(resource, model, {"get": "list", "post": "post", "delete": "deletecollection"}),
        single: _item(resource, model, {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}),
    }
    for subresource in ("status", "scale"):
        if resource.has(subresource):
            actions = {"get": "get", "put": "put", "patch": "patch"}
            found[f"{single}/{subresource}"] = _item(resource, model, actions)
    return found


def _item(resource: Resource, model: str, actions: dict[str, str]) -> Object:
    return {method: _operation(resource, model, method, action) for method, action in actions.items()}


def _operation(resource: Resource, model: str, method: str, action: str) -> Object:
    reference = {"$ref": f"#/components/schemas/{model}"}
    names: tuple[str, ...] = _LIST_PARAMETERS if action in ("list", "deletecollection") else ()
    if method in ("post", "put", "patch"):
        names = _WRITE_PARAMETERS + (("force",) if method == "patch" else ())
    operation: Object = {
        "tags": [f"{resource.group or 'core'}_{resource.version}"],
        "operationId": f"{action}{resource.kind}",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in names
        ],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
    }
    if method in ("post", "put"):
        operation["requestBody"] = {"content": {"*/*": {"schema": reference}}}
    if method == "patch":
        content: Object = {media: {"schema": {"type": "object"}} for media in _PATCH_TYPES}
        operation["requestBody"] = {"content": content}
    return operation
