"""The kubelet API over its socket: logs, exec over both protocols, port-forward."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from lab.pocket.node.api.spdy import SYN_REPLY, Codec
from tests.node.cluster import Cluster


@pytest.fixture
async def kubelet(cluster: Cluster) -> AsyncIterator[aiohttp.ClientSession]:
    cluster.runtime.pod_ip = "127.0.0.1"
    await cluster.make_pod("web")
    await cluster.ready("web")
    connector = aiohttp.UnixConnector(str(cluster.config.kubelet_socket))
    async with aiohttp.ClientSession("http://kubelet", connector=connector) as session:
        yield session


async def test_tail_gives_the_last_lines(cluster: Cluster, kubelet: aiohttp.ClientSession) -> None:
    for line in ("one", "two", "three"):
        cluster.runtime.log(cluster.runtime.running("app")[0], line)
    answer = await kubelet.get("/containerLogs/default/web/app?tailLines=2")
    assert await answer.text() == "two\nthree\n"


async def test_follow_shows_new_lines_and_ends_with_the_container(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    running = cluster.runtime.running("app")[0]
    answer = await kubelet.get("/containerLogs/default/web/app?follow=true&tailLines=0")
    cluster.runtime.log(running, "later")
    assert await answer.content.readline() == b"later\n"
    cluster.runtime.end(running, 0)
    assert await asyncio.wait_for(answer.content.read(), 5) == b""


async def test_logs_of_an_unknown_container_are_not_found(kubelet: aiohttp.ClientSession) -> None:
    answer = await kubelet.get("/containerLogs/default/web/nothing")
    assert answer.status == 404


async def test_websocket_exec_carries_stdin_stdout_and_the_exit_code(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    cluster.runtime.answers[("cat",)] = (3, b"")
    url = "/exec/default/web/app?command=cat&stdin=true&stdout=true&stderr=true"
    async with kubelet.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket:
        await socket.send_bytes(b"\0hello")
        await socket.send_bytes(b"\xff\0")
        assert await socket.receive_bytes(timeout=5) == b"\1hello"
        last = await socket.receive_bytes(timeout=5)
    assert last[:1] == b"\3"
    assert json.loads(last[1:])["details"]["causes"][0]["message"] == "3"


@dataclass
class SpdyClient:
    """The client's side of a raw SPDY connection, as little as the tests need."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    codec: Codec

    @classmethod
    async def post(cls, cluster: Cluster, path: str, protocol: str) -> "SpdyClient":
        reader, writer = await asyncio.open_unix_connection(str(cluster.config.kubelet_socket))
        head = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nHost: x\r\n"
        head += f"X-Stream-Protocol-Version: {protocol}\r\n"
        writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return cls(reader, writer, Codec())

    async def open(self, number: int, **headers: str) -> None:
        """Open a stream and wait for its reply, as client-go does."""
        self.writer.write(self.codec.syn_stream(number, headers))
        frames = self.codec.feed(await asyncio.wait_for(self.reader.read(65536), 5))
        assert [(f.type, f.stream) for f in frames] == [(SYN_REPLY, number)]

    async def received(self, until: int) -> dict[int, bytes]:
        """Data by stream, until stream `until` is closed by the server."""
        data: dict[int, bytes] = {}
        while True:
            for frame in self.codec.feed(await asyncio.wait_for(self.reader.read(65536), 5)):
                data[frame.stream] = data.get(frame.stream, b"") + frame.data
                if frame.fin and frame.stream == until:
                    self.writer.close()
                    return data


async def test_spdy_exec_answers_as_client_go_expects(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    cluster.runtime.answers[("client",)] = (0, b"said")
    path = "/exec/default/web/app?command=client&stdout=true&stderr=true"
    client = await SpdyClient.post(cluster, path, "v4.channel.k8s.io")
    for number, kind in ((1, "error"), (3, "stdout"), (5, "stderr")):
        await client.open(number, streamType=kind)
    data = await client.received(until=1)
    assert (data[3], json.loads(data[1])["status"]) == (b"said", "Success")


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.readline()).upper())
    writer.close()


async def test_port_forward_carries_bytes_both_ways(cluster: Cluster, kubelet: aiohttp.ClientSession) -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1])
    client = await SpdyClient.post(cluster, "/portForward/default/web", "portforward.k8s.io")
    await client.open(1, streamType="error", port=port, requestID="0")
    await client.open(3, streamType="data", port=port, requestID="0")
    client.writer.write(client.codec.data(3, b"hello\n"))
    assert (await client.received(until=3))[3] == b"HELLO\n"
    server.close()


async def test_port_forward_to_a_closed_port_complains_on_the_error_stream(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    client = await SpdyClient.post(cluster, "/portForward/default/web", "portforward.k8s.io")
    await client.open(1, streamType="error", port="1", requestID="0")
    await client.open(3, streamType="data", port="1", requestID="0")
    assert b"cannot connect to port 1" in (await client.received(until=1))[1]
