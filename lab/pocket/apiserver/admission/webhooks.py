"""Admission webhooks: calls the registered ones and applies their answers.

Mutating webhooks run one after the other in the order of their configurations' names, each seeing what
the one before it made; validating ones see the final object. What a failed call means is the
webhook's own `failurePolicy`.
"""

import asyncio
import copy
import json
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp

from lab.base.log import get_logger
from lab.pocket.apiserver.errors import bad_request, internal
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.registry import Registry
from lab.pocket.apiserver.resources.versions import to_served, to_stored
from lab.pocket.apiserver.storage.record import Object
from lab.pocket.apiserver.storage.store import Store

from .webhook_conditions import asked
from .webhook_match import MUTATING, VALIDATING, Hook, Matcher
from .webhook_review import Verdict, denied, patched, review, verdict
from .webhook_target import Target, resolve

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

    from .pipeline import Change

log = get_logger(__name__)


class Webhooks:
    """Calls out to webhooks on behalf of create, update and delete."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._matcher = Matcher(store, registry)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def mutate(self, call: "Call", change: "Change") -> Object:
        """The object as the mutating webhooks want it. Raises StatusError when one refuses.

        A webhook with reinvocationPolicy IfNeeded is asked once more when a later one changed the object.
        """
        ran: list[Hook] = []
        again: list[Hook] = []
        for hook in self._matcher.hooks(MUTATING, call):
            before = change.obj
            change = await self._changed(hook, call, change)
            if change.obj != before:
                again = list(ran)
            ran.append(hook)
        for hook in again:
            if hook.raw.get("reinvocationPolicy") == "IfNeeded":
                change = await self._changed(hook, call, change)
        return change.obj

    async def _changed(self, hook: Hook, call: "Call", change: "Change") -> "Change":
        row = self._matcher.wanted(hook, call, change)
        if row is None:
            return change
        sent = _in_version(change, call.resource, row)
        answer = await self._ask(hook, call, sent, row)
        if answer is None or not answer.patch or change.operation == "DELETE":
            return change
        return replace(change, obj=_converted(patched(sent.obj, answer.patch, hook.name), row, call.resource))

    async def validate(self, call: "Call", change: "Change") -> None:
        """Raises StatusError when a validating webhook refuses."""
        questions = []
        for hook in self._matcher.hooks(VALIDATING, call):
            if (row := self._matcher.wanted(hook, call, change)) is not None:
                questions.append(self._ask(hook, call, _in_version(change, call.resource, row), row))
        await asyncio.gather(*questions)

    async def _ask(self, hook: Hook, call: "Call", change: "Change", row: Resource) -> Verdict | None:
        """One webhook's answer; None when it is not to be asked, or failed and is to be ignored."""
        sent, policy = review(call, change, row), hook.raw.get("failurePolicy", "Fail")
        if not asked(hook.raw.get("matchConditions") or [], sent["request"], policy):
            return None
        if call.dry_run and hook.raw.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise bad_request(f'admission webhook "{hook.name}" does not support dry run')
        try:
            answer = await self._post(hook, sent)
            try:
                found = verdict(answer, sent, mutating=hook.mutating)
            except ValueError as error:
                raise ValueError(f"received invalid webhook response: {error}") from error
        except (LookupError, ValueError, TypeError, OSError, TimeoutError, aiohttp.ClientError) as error:
            seen = str(error) or type(error).__name__
            if policy == "Ignore":
                log.warning("webhook ignored", webhook=hook.name, error=seen)
                return None
            raise internal(f'failed calling webhook "{hook.name}": {seen}') from error
        call.warnings.extend(found.warnings)
        if not found.allowed:
            raise denied(hook.name, found.status)
        return found

    async def _post(self, hook: Hook, sent: Object) -> Any:
        seconds = int(hook.raw.get("timeoutSeconds", 10))
        where = _told(hook.raw["clientConfig"], seconds)
        try:
            target = resolve(self._store, hook.raw["clientConfig"])
            if self._session is None:
                self._session = aiohttp.ClientSession(trust_env=False)
            async with self._session.post(
                target.url,
                json=sent,
                params={"timeout": f"{seconds}s"},
                timeout=aiohttp.ClientTimeout(total=float(seconds)),
                ssl=self._context(target),
                server_hostname=target.server_name or None,
            ) as response:
                if response.status != 200:
                    raise ValueError(f"the server answered HTTP {response.status}")
                return json.loads(await response.read())
        except TimeoutError as error:
            raise ValueError(f'failed to call webhook: Post "{where}": context deadline exceeded') from error
        except (LookupError, ValueError, OSError, aiohttp.ClientError) as error:
            raise ValueError(f'failed to call webhook: Post "{where}": {error}') from error

    def _context(self, target: Target) -> ssl.SSLContext:
        if target.ca not in self._contexts:
            self._contexts.clear()  # a new bundle replaces an old one; there are never many
            self._contexts[target.ca] = ssl.create_default_context(cadata=target.ca or None)
        return self._contexts[target.ca]


def _told(config: Object, seconds: int) -> str:
    """The address to name in an error: a Service by its name, as upstream."""
    service = config.get("service")
    url = config.get("url") if not service else _service_url(service)
    return f"{url}?timeout={seconds}s"


def _service_url(service: Object) -> str:
    path = str(service.get("path") or "/")
    return f"https://{service['name']}.{service['namespace']}.svc:{service.get('port', 443)}{path}"


def _in_version(change: "Change", asked: Resource, row: Resource) -> "Change":
    if row == asked:
        return change
    old = None if change.old is None else _converted(change.old, asked, row)
    return replace(change, obj=_converted(change.obj, asked, row), old=old)


def _converted(obj: Object, source: Resource, target: Resource) -> Object:
    return obj if source == target else to_served(target, to_stored(source, copy.deepcopy(obj)))
