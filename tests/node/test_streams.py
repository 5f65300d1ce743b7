"""The kubelet API over its socket: logs, exec over both protocols, port-forward."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from lab.base.wait import until
from lab.kube.kinds import PODS
from lab.pocket.node.api.spdy import SYN_REPLY, Codec
from tests.node.cluster import Cluster, container


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
    said = (await client.received(until=1))[1]
    assert said == b"failed to connect to localhost:1 inside the pod: connection refused"


@pytest.mark.parametrize("tunnel", ["SPDY/3.1+portforward.k8s.io", "v2.portforward.k8s.io"])
async def test_port_forward_inside_a_websocket_carries_bytes(
    cluster: Cluster, kubelet: aiohttp.ClientSession, tunnel: str
) -> None:
    """The tunnel that kubectl uses: SPDY frames in binary messages."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port, codec = str(server.sockets[0].getsockname()[1]), Codec()
    async with kubelet.ws_connect("/portForward/default/web", protocols=(tunnel,)) as socket:
        assert socket.protocol == tunnel
        for number, kind in ((1, "error"), (3, "data")):
            headers = {"streamType": kind, "port": port, "requestID": "0"}
            await socket.send_bytes(codec.syn_stream(number, headers))
        await socket.send_bytes(codec.data(3, b"hello\n"))
        heard = b""
        while b"HELLO\n" not in heard:
            heard += b"".join(f.data for f in codec.feed(await socket.receive_bytes(timeout=5)))
    server.close()


async def test_attach_connects_the_input_of_a_container_that_reads_one(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    await cluster.make_pod("shell", container("app", stdin=True))
    await cluster.ready("shell")
    running = next(i for i, spec in cluster.runtime.specs.items() if spec.stdin)
    url = "/attach/default/shell/app?stdin=true&stdout=true"
    async with kubelet.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket:
        await socket.send_bytes(b"\0typed")

        async def connected() -> bool:
            return running in cluster.runtime.inputs

        await until(connected, timeout=5, what="attached input", every=0.01)
        source = cluster.runtime.inputs[running]
        assert await asyncio.to_thread(os.read, source, 100) == b"typed"
        cluster.runtime.log(running, "shown")
        assert await socket.receive_bytes(timeout=5) == b"\1shown\n"
        await socket.send_bytes(b"\xff\0")
        assert await asyncio.to_thread(os.read, source, 100) == b""
        os.close(source)
        cluster.runtime.end(running, 4)
        last = await socket.receive_bytes(timeout=5)
    assert json.loads(last[1:])["details"]["causes"][0]["message"] == "4"


async def test_terminal_sizes_reach_an_attached_container(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    async with kubelet.ws_connect("/attach/default/web/app?stdout=true&tty=true") as socket:
        await socket.send_bytes(b"\4" + json.dumps({"Width": 90, "Height": 30}).encode())

        async def told() -> bool:
            return cluster.runtime.sizes == [(90, 30)]

        await until(told, timeout=5, what="the terminal's size", every=0.01)


async def test_exec_without_any_stream_is_refused(kubelet: aiohttp.ClientSession) -> None:
    answer = await kubelet.get("/exec/default/web/app?command=true")
    assert (answer.status, await answer.text()) == (
        400,
        "you must specify at least 1 of stdin, stdout, stderr",
    )


async def test_exec_into_a_container_that_has_ended_is_refused(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    await cluster.make_pod("job", restartPolicy="Never")
    await cluster.ready("job")
    uid = (await cluster.get(PODS, "job"))["metadata"]["uid"]
    cluster.runtime.end(f"{uid}/app/0", 0)
    await cluster.until(PODS, "job", lambda p: p["status"]["phase"] == "Succeeded")
    answer = await kubelet.get("/exec/default/job/app?command=true&stdout=true")
    assert (answer.status, await answer.text()) == (500, 'container not found ("app")')


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", 'container "app" in pod "new" is waiting to start: image can\'t be pulled'),
        ("?previous=true", 'previous terminated container "app" in pod "new" not found'),
    ],
)
async def test_log_of_a_container_that_never_ran_says_why_there_is_none(
    cluster: Cluster, kubelet: aiohttp.ClientSession, query: str, text: str
) -> None:
    await cluster.make_pod("new", container("app", image="unknown:1"))
    await cluster.until(PODS, "new", lambda p: p["status"].get("containerStatuses"))
    answer = await kubelet.get(f"/containerLogs/default/new/app{query}")
    assert (answer.status, await answer.text()) == (400, text)


async def test_previous_log_is_that_of_the_run_before(
    cluster: Cluster, kubelet: aiohttp.ClientSession
) -> None:
    cluster.runtime.log(cluster.runtime.running("app")[0], "first run")
    cluster.runtime.end(cluster.runtime.running("app")[0], 1)
    await cluster.until(PODS, "web", lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1)
    answer = await kubelet.get("/containerLogs/default/web/app?previous=true")
    assert await answer.text() == "start\nfirst run\n"


async def test_limit_cuts_a_log_in_bytes(kubelet: aiohttp.ClientSession) -> None:
    answer = await kubelet.get("/containerLogs/default/web/app?limitBytes=3")
    assert await answer.text() == "sta"
