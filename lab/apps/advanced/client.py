"""`client` of echo-advanced: asks a URL and prints what came back, in lines that the conformance suite reads.

One block per request, blocks apart by an empty line:

    [0] Url=http://echo/v1
    [0] StatusCode=200
    [0] ResponseHeader=Content-Type:text/plain
    [0 body] Hostname=echo-v1-…

The exit code is 1 if a request got no answer, or a gRPC status other than OK.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import aiohttp

from lab.apps.advanced import wire

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
Ask = Callable[[], Awaitable["list[str]"]]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="client", description="ask a URL, print lines of Key=value")
    parser.add_argument("url", help="http://…, https://… or grpc://host:port")
    parser.add_argument("--method", default="GET")
    parser.add_argument("-H", dest="headers", type=_header, action="append", default=[], metavar="NAME:VALUE")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--timeout", type=_seconds, default=5.0, help="for each request: 5s, 500ms")
    parser.add_argument("--msg", default="", help="body (HTTP) or message (gRPC)")
    parser.add_argument("-L", dest="follow", action="store_true", help="follow redirects")
    args = parser.parse_args(argv)
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        opened = _grpc if urlsplit(args.url).scheme == "grpc" else _http
        ask = await opened(stack, args)
        for number in range(args.count):
            try:
                async with asyncio.timeout(args.timeout):
                    block = await ask()
            except TimeoutError:
                sys.stderr.write(f"client: no answer from {args.url} within {args.timeout:g} s\n")
                return 1
            except (OSError, aiohttp.ClientError) as error:
                sys.stderr.write(f"client: {args.url}: {error}\n")
                return 1
            sys.stdout.write("".join(f"[{number}{line}\n" for line in block) + "\n")
    return 0


async def _http(stack: AsyncExitStack, args: argparse.Namespace) -> Ask:
    connector = aiohttp.TCPConnector(ssl=False)  # the suite's servers certify themselves
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def ask() -> list[str]:
        request = session.request(
            args.method, args.url, headers=args.headers, data=args.msg or None, allow_redirects=args.follow
        )
        async with request as response:
            body = await response.text()
            headers = [("ResponseHeader", f"{n}:{v}") for n, v in response.headers.items()]
            return _block(args.url, [("StatusCode", response.status), *headers], body)

    return ask


async def _grpc(stack: AsyncExitStack, args: argparse.Namespace) -> Ask:
    import grpc.aio

    from lab.apps import rpc

    channel = await stack.enter_async_context(rpc.connect(urlsplit(args.url).netloc))
    metadata = [(name.lower(), value) for name, value in args.headers]
    invoke = channel.unary_unary(f"/{wire.SERVICE}/{wire.METHOD}", wire.encode, wire.decode)

    async def ask() -> list[str]:
        try:
            answer: str = await invoke(args.msg, metadata=metadata, timeout=args.timeout)
        except grpc.aio.AioRpcError as error:
            raise ConnectionError(f"{error.code().name}: {error.details()}") from error
        return _block(args.url, (), answer)

    return ask


def _block(url: str, fields: Iterable[tuple[str, object]], body: str) -> list[str]:
    head = [f"] {key}={value}" for key, value in [("Url", url), *fields]]
    return [*head, *(f" body] {line}" for line in body.splitlines() if line)]


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return name, value.strip()


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; allowed: 5s, 500ms, 1m")
    return float(found[1]) * _UNITS[found[2] or "s"]
