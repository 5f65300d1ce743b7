"""Admission webhooks: calls the registered ones and applies their answers.

Mutating webhooks run one after the other in the order of their configurations' names, each seeing what
the one before it made; validating ones see the final object. What a failed call means is the
webhook's own `failurePolicy`.
"""

import asyncio
import base64
import binascii
import copy
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
import jsonpatch

from lab.base.log import get_logger
from lab.kube.selectors import from_label_selector
from lab.pocket.apiserver.errors import StatusError, internal
from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.apiserver.storage.store import Store

from .webhook_target import Target, resolve

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

    from .pipeline import Change

log = get_logger(__name__)
MUTATING = "admissionregistration.k8s.io/mutatingwebhookconfigurations"
VALIDATING = "admissionregistration.k8s.io/validatingwebhookconfigurations"
OWN_GROUP = "admissionregistration.k8s.io"
"""Objects of this group are never sent to webhooks, or a bad one could not be removed."""


class Webhooks:
    """Calls out to webhooks on behalf of create, update and delete."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def mutate(self, call: "Call", change: "Change") -> Object:
        """The object as the mutating webhooks want it. Raises StatusError when one refuses."""
        obj = change.obj
        for hook in self._matching(MUTATING, call, change):
            answer = await self._ask(hook, call, type(change)(change.operation, obj, change.old))
            if answer and (patch := answer.get("patch")):
                obj = _patched(obj, patch, str(hook["name"]))
        return obj

    async def validate(self, call: "Call", change: "Change") -> None:
        """Raises StatusError when a validating webhook refuses."""
        hooks = list(self._matching(VALIDATING, call, change))
        await asyncio.gather(*(self._ask(hook, call, change) for hook in hooks))

    def _matching(self, prefix: str, call: "Call", change: "Change") -> Iterator[Object]:
        if call.resource.group == OWN_GROUP:
            return
        for record in sorted(self._store.list(prefix), key=lambda record: record.key.name):
            for hook in record.copy().get("webhooks") or []:
                if _rules_match(hook, call, change.operation) and self._selects(hook, call, change):
                    yield hook

    def _selects(self, hook: Object, call: "Call", change: "Change") -> bool:
        objects = [obj for obj in (change.obj, change.old) if obj]
        wanted = from_label_selector(hook.get("objectSelector") or {})
        if not any(wanted.matches((obj.get("metadata") or {}).get("labels") or {}) for obj in objects):
            return False
        space = call.namespace or (call.name if call.resource.plural == "namespaces" else "")
        if not space:
            return True
        record = self._store.get(Key("/namespaces", "", space))
        labels = (record.copy()["metadata"].get("labels") or {}) if record else {}
        return from_label_selector(hook.get("namespaceSelector") or {}).matches(labels)

    async def _ask(self, hook: Object, call: "Call", change: "Change") -> Object | None:
        """One webhook's answer; None when it could not be asked and its policy is to ignore that."""
        if call.dry_run and hook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            message = f'admission webhook "{hook["name"]}" does not support dry run'
            raise StatusError(400, "BadRequest", message)
        review = _review(call, change)
        try:
            answer = await self._post(hook, review)
            response = answer["response"]
            if response["uid"] != review["request"]["uid"]:
                raise ValueError("its answer is for another request")
        except (LookupError, ValueError, TypeError, OSError, TimeoutError, aiohttp.ClientError) as error:
            seen = str(error) or type(error).__name__
            if hook.get("failurePolicy", "Fail") == "Ignore":
                log.warning("webhook ignored", webhook=hook["name"], error=seen)
                return None
            raise internal(f'failed calling webhook "{hook["name"]}": {seen}') from error
        call.warnings.extend(response.get("warnings") or [])
        if not response.get("allowed"):
            raise _denied(str(hook["name"]), response.get("status") or {})
        found: Object = response
        return found

    async def _post(self, hook: Object, review: Object) -> Object:
        target = resolve(self._store, hook["clientConfig"])
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        limit = aiohttp.ClientTimeout(total=float(hook.get("timeoutSeconds", 10)))
        async with self._session.post(
            target.url,
            json=review,
            timeout=limit,
            ssl=self._context(target),
            server_hostname=target.server_name or None,
        ) as response:
            if response.status != 200:
                raise ValueError(f"it answered HTTP {response.status}")
            answer: Object = json.loads(await response.read())
            return answer

    def _context(self, target: Target) -> ssl.SSLContext:
        if target.ca not in self._contexts:
            self._contexts.clear()  # a new bundle replaces an old one; there are never many
            self._contexts[target.ca] = ssl.create_default_context(cadata=target.ca or None)
        return self._contexts[target.ca]


def _rules_match(hook: Object, call: "Call", operation: str) -> bool:
    return any(_rule_matches(rule, call, operation) for rule in hook.get("rules") or [])


def _rule_matches(rule: Mapping[str, Any], call: "Call", operation: str) -> bool:
    plural = call.resource.plural
    names = {f"{plural}/{call.subresource}", f"*/{call.subresource}", f"{plural}/*", "*/*"}
    if not call.subresource:
        names = {plural, "*", "*/*"}
    scope = rule.get("scope", "*")
    return (
        any(word in ("*", operation) for word in rule.get("operations") or ())
        and any(word in ("*", call.resource.group) for word in rule.get("apiGroups") or ())
        and any(word in ("*", call.resource.version) for word in rule.get("apiVersions") or ())
        and bool(names & set(rule.get("resources") or ()))
        and scope in ("*", "Namespaced" if call.resource.namespaced else "Cluster")
    )


def _review(call: "Call", change: "Change") -> Object:
    resource = call.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    plural = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    meta = (change.obj or change.old or {}).get("metadata") or {}
    request = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "resource": plural,
        "requestKind": kind,
        "requestResource": plural,
        "subResource": call.subresource,
        "name": call.name or meta.get("name", ""),
        "namespace": call.namespace,
        "operation": change.operation,
        "userInfo": {"username": call.user.name, "groups": list(call.user.groups)},
        "object": change.obj,
        "oldObject": change.old,
        "dryRun": call.dry_run,
        "options": {},
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _patched(obj: Object, patch: str, webhook: str) -> Object:
    try:
        operations = json.loads(base64.b64decode(patch, validate=True))
        found: Object = jsonpatch.apply_patch(copy.deepcopy(obj), operations)
    except (
        ValueError,
        binascii.Error,
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
    ) as error:
        raise internal(f'admission webhook "{webhook}" sent a patch that does not apply: {error}') from error
    return found


def _denied(webhook: str, status: Mapping[str, Any]) -> StatusError:
    said = status.get("message")
    message = f'admission webhook "{webhook}" denied the request' + (
        f": {said}" if said else " without explanation"
    )
    return StatusError(int(status.get("code") or 403), str(status.get("reason") or "Forbidden"), message)
