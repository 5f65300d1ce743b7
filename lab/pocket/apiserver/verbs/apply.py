"""Server-side apply: merge by field owner, with conflicts."""

from typing import Any

from ..context import Answer, Api, Call
from ..errors import bad_request


async def apply(api: Api, call: Call, body: Any) -> Answer:
    raise bad_request("server-side apply is not supported yet")
