"""logs, exec, attach and port-forward: authorised calls handed to the node over its Unix socket."""

from aiohttp import web

from ..context import Api, Call
from ..errors import unavailable


async def log(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    raise unavailable("logs are not served yet")


async def connect(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    raise unavailable("exec is not served yet")
