"""placeholder until the stream sessions land."""

from aiohttp import web


async def execute(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotImplemented(text="exec")


async def attach(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotImplemented(text="attach")


async def port_forward(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotImplemented(text="portforward")
