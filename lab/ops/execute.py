"""Runs a command in a container over the Kubernetes API and returns its exit code."""

import asyncio
import sys
from collections.abc import Sequence

from kubernetes import client as official
from kubernetes import config
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from lab.base.errors import LabError
from lab.ops.labs import Lab, find
from lab.ops.pods import Place, locate, split


def execute(pod: str, command: Sequence[str], *, lab: str = "", container: str = "") -> int:
    """Output goes to standard output and error as it comes. Raises LabError if it cannot start."""
    target = find(lab)
    place = asyncio.run(_locate(target, pod, container))
    api = config.new_client_from_config(str(target.dir.kubeconfig), target.dir.context(place.cluster))
    try:
        return _run(official.CoreV1Api(api), place, command)
    except ApiException as error:
        raise LabError(f"exec in {pod}: {error.reason}") from error
    finally:
        api.close()


async def _locate(lab: Lab, word: str, container: str) -> Place:
    async with await lab.connect(split(lab, word)[0]) as client:
        return await locate(lab, client, word, container)


def _run(api: official.CoreV1Api, place: Place, command: Sequence[str]) -> int:
    channel = stream(
        api.connect_get_namespaced_pod_exec,
        place.pod,
        place.namespace,
        container=place.container,
        command=list(command),
        stdout=True,
        stderr=True,
        stdin=False,
        tty=False,
        _preload_content=False,
    )
    while channel.is_open():
        channel.update(timeout=1)
        if channel.peek_stdout():
            sys.stdout.write(channel.read_stdout())
            sys.stdout.flush()
        if channel.peek_stderr():
            sys.stderr.write(channel.read_stderr())
    sys.stdout.write(channel.read_stdout(timeout=0) or "")
    channel.close()
    return int(channel.returncode or 0)
