"""loadgen: offers open-loop HTTP load to a set of targets and serves what it measured.

`GET /stats?window=10` figures per target · `GET /requests?since=SEQ` records as NDJSON (`?from=UNIXTIME`:
those over at that time or later) · `GET|POST /targets` the set. The set comes from `--target` flags or from
a JSON file that is read again when it changes (a mounted ConfigMap).
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from lab.apps import serving
from lab.apps.conduct import Conduct, add_routes
from lab.apps.loadgen import stats, targets
from lab.apps.loadgen.generator import Generator
from lab.apps.loadgen.records import Ring
from lab.base import wait
from lab.base.errors import UsageError
from lab.base.log import get_logger

log = get_logger("loadgen")


def routes(generator: Generator) -> web.Application:
    """The HTTP face of a generator."""

    async def figures(request: web.Request) -> web.Response:
        now, window = time.time(), _number(request, "window", 10.0)
        records = generator.ring.since_time(now - window)
        known = stats.per_target(generator.targets, records, window)
        for name, figure in known.items():
            ran = min(window, max(now - generator.since[name], 0.5))
            if ran < window:
                kept = [r for r in records if r.target == name and r.done >= now - ran]
                known[name] = stats.summarise(figure.target, kept, ran)
        extra = {
            n: {
                "inFlight": generator.in_flight(n),
                "skipped": generator.skipped[n],
                "settled": generator.settled(n),
            }
            for n in known
        }
        return web.json_response(
            {
                "time": now,
                "window": window,
                "targets": {n: {**s.fields(), **extra[n]} for n, s in known.items()},
            }
        )

    async def requests(request: web.Request) -> web.Response:
        if "from" in request.query:
            records = generator.ring.since_time(_number(request, "from", 0))
        else:
            records = generator.ring.since_seq(int(_number(request, "since", 0)))
        lines = "".join(json.dumps(record.fields()) + "\n" for record in records)
        return web.Response(text=lines, content_type="application/x-ndjson")

    async def show(_: web.Request) -> web.Response:
        return web.json_response({"targets": {t.name: asdict(t) for t in generator.targets}})

    async def replace(request: web.Request) -> web.Response:
        try:
            generator.use(targets.parse(await request.text()))
        except UsageError as error:
            return web.json_response({"problems": str(error).split("; ")}, status=400)
        return await show(request)

    app = web.Application()
    add_routes(app, Conduct())
    app.router.add_get("/stats", figures)
    app.router.add_get("/requests", requests)
    app.router.add_get("/targets", show)
    app.router.add_post("/targets", replace)
    return app


def _number(request: web.Request, name: str, default: float) -> float:
    text = request.query.get(name)
    try:
        return default if text is None else max(0.0, float(text))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name}={text!r} is not a number\n") from error


async def follow(path: Path, generator: Generator) -> None:
    """Take the targets from `path` again whenever its text changes; a wrong file is logged and the
    last set stays.
    """
    seen: str | None = None
    while True:
        try:
            text = _read(path)
            if text != seen:
                seen = text
                generator.use(targets.parse(text))
        except (UsageError, OSError) as error:
            log.error("targets not taken", file=str(path), error=str(error))
        await wait.pause(0.5)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else '{"targets": {}}'


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="loadgen", description="open-loop load generator")
    parser.add_argument("--target", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second for each --target")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for each request")
    parser.add_argument(
        "--targets-file", type=Path, help="JSON file with the targets, read again when it changes"
    )
    parser.add_argument("--port", type=int, default=8080)
    args = parser.parse_args(argv)
    try:
        fixed = [targets.from_flag(text, args.rate, args.timeout) for text in args.target]
    except UsageError as error:
        parser.error(str(error))

    async def setup(stack: AsyncExitStack) -> None:
        generator = Generator(Ring())
        await generator.open(stack)
        generator.use(fixed)
        await serving.listen_http(stack, routes(generator), args.port)
        if args.targets_file:
            following = asyncio.create_task(follow(args.targets_file, generator))
            stack.callback(following.cancel)

    return serving.run(setup)
