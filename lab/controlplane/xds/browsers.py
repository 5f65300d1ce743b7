"""What is there for browsers: cross-origin sharing and sticky sessions, as Envoy's HTTP filters. Pure.

Both filters stand in every connection manager that routes by our tables and do nothing by themselves; a
route switches them on.
"""

import re
from typing import Any

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.http.stateful_session.cookie.v3 import cookie_pb2
from envoy.extensions.http.stateful_session.header.v3 import header_pb2
from envoy.type.http.v3 import cookie_pb2 as http_cookie_pb2

from lab.controlplane.model.ir import Cors, Session
from lab.controlplane.xds.matches import text_matcher
from lab.controlplane.xds.messages import boolean, duration, extension

CORS = "envoy.filters.http.cors"
SESSION = "envoy.filters.http.stateful_session"
FILTERS = ((CORS, cors_pb2.Cors()), (SESSION, stateful_session_pb2.StatefulSession()))


def cors_policy(cors: Cors) -> Any:
    """Answers preflight requests, and marks answers to the origins that are allowed."""
    return cors_pb2.CorsPolicy(
        allow_origin_string_match=[_origin(origin) for origin in cors.origins],
        allow_methods=", ".join(cors.methods),
        allow_headers=", ".join(cors.headers),
        expose_headers=", ".join(cors.exposed),
        max_age=str(cors.max_age),
        allow_credentials=boolean(cors.credentials),
    )


def session_state(session: Session) -> Any:
    """Sends a client back to the endpoint named in its cookie or header, while that one is healthy."""
    if session.header:
        state = extension(
            "envoy.http.stateful_session.header", header_pb2.HeaderBasedSessionState(name=session.name)
        )
    else:
        cookie = http_cookie_pb2.Cookie(name=session.name, path=session.path)
        if session.lifetime:
            cookie.ttl.CopyFrom(duration(session.lifetime))
        state = extension(
            "envoy.http.stateful_session.cookie", cookie_pb2.CookieBasedSessionState(cookie=cookie)
        )
    config = stateful_session_pb2.StatefulSession(session_state=state)
    return stateful_session_pb2.StatefulSessionPerRoute(stateful_session=config)


def _origin(origin: str) -> Any:
    """An origin; each `*` in it stands for anything."""
    if "*" not in origin:
        return text_matcher("exact", origin)
    return text_matcher("regex", ".*".join(map(re.escape, origin.split("*"))))
