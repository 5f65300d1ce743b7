"""Collects the parts of a bundle from a lab, each by itself: what fails is noted, the rest goes on.

What the API servers and the kernel say is taken from a running lab; objects and logs of one that is dead are
taken from its folder.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.base.errors import LabError
from lab.engines.inspect import Inspector, LogFile
from lab.engines.protocol import EngineState
from lab.kube import objects
from lab.kube.client import Client, Request
from lab.kube.kinds import PODS
from lab.kube.objects import Object
from lab.observe.state import LabState
from lab.ops.bundle import objects as kinds
from lab.ops.bundle.redact import literals
from lab.ops.bundle.staging import LOG_TAIL, Staging
from lab.ops.labs import Lab
from lab.ops.status import observer


@dataclass
class Collected:
    """What later parts and the summary need of earlier ones."""

    engine: EngineState
    state: LabState | None = None
    objects: dict[str, list[Object]] = field(default_factory=dict)
    """By cluster; not redacted yet."""


async def look(lab: Lab, staging: Staging) -> Collected:
    """The state, and every object of every cluster: nothing is written before their secrets are known."""
    found = Collected(await lab.engine.observe(lab.dir))
    with staging.part("state"):
        async with observer(lab) as eyes:
            found.state = await eyes.look()
    for cluster in lab.topology.clusters:
        with staging.part(f"objects of {cluster}"):
            found.objects[cluster] = await _objects(lab, staging, found.engine, cluster)
    return found


def secrets(lab: Lab, found: Collected, inspector: Inspector | None) -> tuple[str, ...]:
    """Every secret value that the lab's Secrets and key files hold."""
    held = [one for every in found.objects.values() for one in every if one["kind"] == "Secret"]
    return literals(held, inspector.secrets(lab.dir) if inspector else ())


async def _objects(lab: Lab, staging: Staging, engine: EngineState, cluster: str) -> list[Object]:
    seen = engine.clusters.get(cluster)
    if seen and seen.api_is_running and not seen.paused:
        try:
            async with await lab.connect(cluster) as client:
                return await kinds.live(client, staging, cluster)
        except LabError as error:
            reason = str(error)
    else:
        reason = "it is paused" if seen and seen.paused else "its API server does not run"
    inspector = lab.inspector
    if inspector is None:
        raise LabError(reason)
    staging.miss(f"live objects of {cluster}", f"{reason}; taken from its store on disk instead")
    return inspector.stored(lab.dir, cluster)


async def rest(lab: Lab, staging: Staging, found: Collected) -> None:
    """Write objects, logs, proxies and kernel facts."""
    for cluster, every in found.objects.items():
        with staging.part(f"objects of {cluster}", f"writing {len(every)}"):
            kinds.write(staging, cluster, every)
    inspector = lab.inspector
    if inspector is None:
        why = f"engine {lab.engine.name} cannot be looked into"
        staging.miss("kernel facts", why)
        staging.miss("Envoy configuration and counters", why)
        for cluster in found.objects:
            with staging.part(f"logs of {cluster}"):
                await _logs_over_api(lab, staging, cluster, found.objects[cluster])
        return
    with staging.part("logs"):
        _logs_on_disk(inspector.logs(lab.dir), staging, found.objects)
    if not found.engine.running:
        for part in ("kernel facts", "Envoy configuration and counters"):
            staging.miss(part, "the lab does not run")
        return
    for cluster in lab.topology.clusters:
        with staging.part(f"proxies of {cluster}"):
            await _proxies(lab, inspector, staging, cluster)
    with staging.part("kernel"):
        for place, facts in (await inspector.kernel(lab.dir)).items():
            staging.json(f"kernel/{place}.json", facts)


def _logs_on_disk(files: Iterable[LogFile], staging: Staging, found: Mapping[str, Sequence[Object]]) -> None:
    pods = {
        str(one["metadata"].get("uid")): f"{objects.namespace(one)}/{objects.name(one)}"
        for every in found.values()
        for one in every
        if one["kind"] == PODS.kind
    }
    for file in files:
        if file.container:
            pod = pods.get(file.pod_uid, f"gone/{file.pod_uid}")
            path = f"clusters/{file.cluster}/logs/{pod}/{file.container}.{file.attempt}.log"
        else:
            path = f"logs/{file.path.name}"
        try:
            staging.log(path, file.path)
        except OSError as error:
            staging.miss(path, str(error))


async def _logs_over_api(lab: Lab, staging: Staging, cluster: str, found: Iterable[Object]) -> None:
    async with await lab.connect(cluster) as client:
        for pod in (one for one in found if one["kind"] == PODS.kind):
            for container in (*objects.spec(pod).get("initContainers", ()), *objects.spec(pod)["containers"]):
                with staging.part(f"log of {cluster}/{objects.name(pod)}/{container['name']}"):
                    await _log_over_api(client, staging, cluster, pod, container["name"])


async def _log_over_api(client: Client, staging: Staging, cluster: str, pod: Object, container: str) -> None:
    place = objects.namespace(pod), objects.name(pod)
    query = {"container": container, "limitBytes": str(LOG_TAIL), "tailLines": "5000"}
    path = PODS.path(*place, "log")
    text = await client.raw(Request("GET", path, query, accept="*/*", timeout=20.0))
    staging.text(f"clusters/{cluster}/logs/{'/'.join(place)}/{container}.log", text.decode(errors="replace"))


async def _proxies(lab: Lab, inspector: Inspector, staging: Staging, cluster: str) -> None:
    async for dump in inspector.proxies(lab.dir, cluster):
        place = f"clusters/{cluster}/proxies/{dump.namespace}/{dump.pod}"
        if dump.error:
            staging.miss(f"proxy of {cluster}/{dump.namespace}/{dump.pod}", dump.error)
        for path, text in dump.answers.items():
            name = path.strip("/").partition("?")[0]
            if text.startswith("{"):
                staging.json(f"{place}/{name}.json", json.loads(text))
            else:
                staging.text(f"{place}/{name}.txt", text)
