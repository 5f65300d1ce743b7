"""pods/proxy and services/proxy: an HTTP reverse proxy to a pod."""

from aiohttp import web

from ..context import Api, Call
from ..errors import unavailable


async def proxy(api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
    raise unavailable("proxy is not served yet")
