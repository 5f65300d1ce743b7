"""Runs a command in a container through the API server and returns what it printed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from kubernetes.aio.stream import WsApiClient

from lab.kube.client import Client
from lab.kube.errors import Unavailable
from lab.kube.kinds import PODS


@dataclass(frozen=True)
class Container:
    """A container of a pod."""

    namespace: str
    pod: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}/{self.name}"


async def output(client: Client, where: Container, command: Sequence[str], timeout: float) -> str:
    """Output and errors of a command that ends within `timeout` seconds. Raises Unavailable if it cannot be
    started or does not end."""
    asked = [("container", where.name), ("stdout", "true"), ("stderr", "true")]
    asked += [("command", word) for word in command]
    try:
        async with WsApiClient(client.configuration) as api, asyncio.timeout(timeout):
            method, url, headers, *_ = await api.param_serialize(
                "GET",
                PODS.path(where.namespace, where.pod, "exec"),
                query_params=asked,
                auth_settings=["BearerToken"],
            )
            return str((await api.request(method, url, headers=headers)).data.decode(errors="replace"))
    except TimeoutError as error:
        raise Unavailable(0, "", f"exec in {where}: no end within {timeout:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(0, "", f"exec in {where}: {error}") from error
