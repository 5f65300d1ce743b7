"""client: asks a URL and prints one line of JSON per request; run by `kubectl exec` and by tests.

Schemes: http, grpc (the demo apps' default method, or the one in the path) and tcp (one line). The exit
code is 0 only if every request was answered well (HTTP below 400, gRPC OK, TCP a line).
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp

Answer = dict[str, Any]
Ask = Callable[[], Awaitable[Answer]]


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return name.strip(), value.strip()


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="client", description="ask a URL, print JSON")
    parser.add_argument("url", help="http://…, grpc://host:port[/service/method] or tcp://host:port")
    parser.add_argument("--method", "-X", default="GET")
    parser.add_argument("--header", "-H", type=_header, action="append", default=[], metavar="NAME:VALUE")
    parser.add_argument("--data", "-d", default=None, help="body (HTTP), JSON message (gRPC) or line (TCP)")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for each request")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    args = _parse(argv)
    scheme = urlsplit(args.url).scheme
    if scheme not in ASKERS:
        sys.stderr.write(f"client: scheme {scheme!r} of {args.url} is none of {', '.join(sorted(ASKERS))}\n")
        return 2
    return asyncio.run(ASKERS[scheme](args))


async def _repeat(args: argparse.Namespace, ask: Ask) -> int:
    failed = 0
    for _ in range(args.count):
        started = time.perf_counter()
        try:
            async with asyncio.timeout(args.timeout):
                answer = await ask()
        except TimeoutError:
            answer = {"error": f"no answer from {args.url} within {args.timeout:g} s"}
        except (OSError, aiohttp.ClientError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        failed += "error" in answer or answer.get("status", 0) >= 400
        answer["latencyMs"] = round((time.perf_counter() - started) * 1000, 3)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 1 if failed else 0


async def _http(args: argparse.Namespace) -> int:
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def ask() -> Answer:
            request = session.request(
                args.method, args.url, headers=args.header, data=args.data, allow_redirects=False
            )
            async with request as response:
                headers = {key.lower(): value for key, value in response.headers.items()}
                return {"status": response.status, "headers": headers, "body": _body(await response.text())}

        return await _repeat(args, ask)


def _body(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _grpc(args: argparse.Namespace) -> int:
    import grpc.aio

    from lab.apps import rpc

    url = urlsplit(args.url)
    method = url.path if url.path.count("/") == 2 else rpc.DEFAULT
    metadata = [(name.lower(), value) for name, value in args.header]
    message = json.loads(args.data) if args.data else {}
    async with rpc.connect(url.netloc) as channel:

        async def ask() -> Answer:
            try:
                body = await rpc.call(channel, method, message, args.timeout, metadata)
            except grpc.aio.AioRpcError as error:
                return {"grpcStatus": error.code().name, "error": error.details()}
            return {"grpcStatus": "OK", "body": body}

        return await _repeat(args, ask)


async def _tcp(args: argparse.Namespace) -> int:
    from lab.apps.lines import LineClient

    async def ask() -> Answer:
        client = LineClient(urlsplit(args.url).netloc)  # a connection per request: that is what gets balanced
        try:
            return {"body": _body(await client.ask(args.data or "hello", args.timeout))}
        finally:
            client.close()

    return await _repeat(args, ask)


ASKERS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, int]]] = {
    "http": _http,
    "grpc": _grpc,
    "tcp": _tcp,
}
