"""echo-advanced keeps the contract that the Gateway API's conformance suite reads."""

import asyncio
import re
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lab.apps import serving
from lab.apps.advanced import client, server


@pytest.fixture
async def echo():
    """The ports of a server: http, https and grpc."""
    async with AsyncExitStack() as stack:
        nowhere = Path("/no/such/certificate")
        app = server.application(80, "v1")
        tls = server.tls_context(nowhere, nowhere)
        yield {
            "http": await serving.listen_http(stack, app, 0),
            "https": await serving.listen_http(stack, server.application(443, ""), 0, tls),
            "grpc": await server.listen_grpc(stack, 0, "v1"),
        }


async def ask(*argv: str) -> int:
    return await asyncio.to_thread(client.main, list(argv))


def values(output: str, key: str) -> list[str]:
    return re.findall(rf"{key}=(.*)", output)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_answer_tells_status_server_and_headers_in_lines(echo, capsys, scheme):
    assert await ask(f"{scheme}://127.0.0.1:{echo[scheme]}/a?b=c", "-H", "X-Case:a:b", "--method=PUT") == 0
    output = capsys.readouterr().out
    assert values(output, "StatusCode") == ["200"]
    assert values(output, "Hostname") == [socket.gethostname()]
    assert "X-Case:a:b" in values(output, "RequestHeader")
    assert values(output, "URL") == ["/a?b=c"]
    assert values(output, "Method") == ["PUT"]
    assert any(value.startswith("Content-Type:") for value in values(output, "ResponseHeader"))


async def test_a_grpc_answer_tells_status_server_and_metadata_in_lines(echo, capsys):
    assert await ask(f"grpc://127.0.0.1:{echo['grpc']}", "-H", "X-Case:one", "--msg=hi") == 0
    output = capsys.readouterr().out
    assert values(output, "StatusCode") == ["200"]
    assert values(output, "Hostname") == [socket.gethostname()]
    assert "x-case:one" in values(output, "RequestHeader")
    assert values(output, "Echo") == ["hi"]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_answers_to_several_requests_are_apart_by_an_empty_line(echo, capsys, scheme):
    assert await ask(f"{scheme}://127.0.0.1:{echo[scheme]}", "--count=3") == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert [len(values(block, "Hostname")) for block in blocks] == [1, 1, 1]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_a_server_that_is_not_there_makes_the_client_fail(capsys, scheme):
    assert await ask(f"{scheme}://127.0.0.1:9", "--timeout=500ms") == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-Hbroken", "--timeout=soon"])
async def test_a_wrong_flag_is_named(capsys, flag):
    with pytest.raises(SystemExit):
        await ask("http://127.0.0.1:9", flag)
    assert repr(flag.removeprefix("-H").removeprefix("--timeout=")) in capsys.readouterr().err
