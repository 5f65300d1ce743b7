"""Starts one container of a pod: environment, mounts and log file from the spec, then the runtime.

What goes wrong becomes the container's waiting reason, as `kubectl describe pod` shows it.
"""

import asyncio
import time
from typing import Any

from lab.base.errors import LabError
from lab.kube.objects import Object, namespace, uid
from lab.kube.quantity import quantity
from lab.pocket.node.environment import environment, expand
from lab.pocket.node.fields import BadReference
from lab.pocket.node.folder import PodFolder
from lab.pocket.node.handlers import perform
from lab.pocket.node.hostfiles import hostname
from lab.pocket.node.identity import identity
from lab.pocket.node.lifecycle.attempts import Waiting
from lab.pocket.node.runtime import Container, Mount, UnknownImage
from lab.pocket.node.serviceenv import service_variables
from lab.pocket.node.tracked import Tracked

RETRY = 5.0
IMAGE_RETRY = 10.0


async def start(pod: Object, tracked: Tracked, folder: PodFolder) -> None:
    """Start the next attempt, or note why it cannot start. Raises nothing the pod is to blame for."""
    try:
        container = compose(pod, tracked, folder)
        state = await tracked.kit.runtime.start(container)
    except BadReference as error:
        _wait(tracked, "CreateContainerConfigError", str(error), RETRY)
    except UnknownImage as error:
        image = tracked.spec.get("image", "")
        message = f'Container image "{image}" is not present with pull policy of Never: {error}'
        _wait(tracked, "ErrImageNeverPull", message, IMAGE_RETRY)
    except LabError as error:
        _wait(tracked, "RunContainerError", str(error), RETRY)
    else:
        tracked.event("Pulled", f'Container image "{container.image}" already present on machine')
        tracked.event("Created", f"Created container: {tracked.name}")
        tracked.event("Started", f"Started container {tracked.name}")
        tracked.begin(state, (pod.get("status") or {}).get("podIP", ""))
        await _post_start(tracked)


def compose(pod: Object, tracked: Tracked, folder: PodFolder) -> Container:
    """The runtime's order for the next attempt. Raises BadReference."""
    spec, config = tracked.spec, tracked.kit.config
    base = {
        "KUBERNETES_SERVICE_HOST": config.api_host,
        "KUBERNETES_SERVICE_PORT": str(config.api_port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(config.api_port),
        "HOSTNAME": hostname(pod, config.cluster_domain),
    }
    if pod["spec"].get("enableServiceLinks") is not False:
        base = {**service_variables(tracked.kit.services.list(namespace(pod))), **base}
    limits = (spec.get("resources") or {}).get("limits") or {}
    env = environment(pod, spec, base, tracked.kit.lookup(namespace(pod)))
    number, who = tracked.next_number, identity(pod, spec, many_users=config.many_users)
    return Container(
        id=f"{uid(pod)}/{tracked.name}/{number}",
        pod_uid=uid(pod),
        image=str(spec.get("image", "")),
        command=tuple(expand(str(part), env) for part in spec.get("command") or ()),
        args=tuple(expand(str(part), env) for part in spec.get("args") or ()),
        env=env,
        working_dir=str(spec.get("workingDir") or ""),
        mounts=(*folder.mounts(spec, env), _last_words_mount(spec, folder, number)),
        log_path=str(folder.new_log(tracked.name, number)),
        user=who.user,
        group=who.group,
        groups=who.groups,
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        tty=bool(spec.get("tty")),
        memory=int(quantity(limits.get("memory") or 0)),
        cpu=float(quantity(limits.get("cpu") or 0)),
    )


def _last_words_mount(spec: dict[str, Any], folder: PodFolder, number: int) -> Mount:
    path = spec.get("terminationMessagePath") or "/dev/termination-log"
    return Mount(path, str(folder.termination_path(spec["name"], number)))


def _wait(tracked: Tracked, reason: str, message: str, seconds: float) -> None:
    tracked.waiting = Waiting(reason, message, time.time() + seconds)
    event = reason if reason == "ErrImageNeverPull" else "Failed"
    tracked.event(event, message if event != "Failed" else f"Error: {message}", warning=True)


async def _post_start(tracked: Tracked) -> None:
    hook = (tracked.spec.get("lifecycle") or {}).get("postStart")
    if not hook or not tracked.view().running:
        return
    tracked.hook = asyncio.create_task(perform(hook, tracked.target(), tracked.kit.execs))
    await asyncio.wait({tracked.hook})
    if tracked.hook.cancelled():
        return
    outcome = tracked.hook.result()
    if not outcome.ok:
        tracked.event("FailedPostStartHook", f"PostStartHook failed: {outcome.message}", warning=True)
        tracked.failed(tracked.name, "postStart")
