"""How a demo program behaves: its error share, its delay and its readiness, all changeable while it runs.

Faults and tests drive it over `POST /control`; probes read `/ready` and `/live`. It knows nothing of what
the program serves.
"""

import random
from dataclasses import dataclass

from aiohttp import web

from lab.base import wait


@dataclass
class Conduct:
    fail_share: float = 0.0
    delay_ms: float = 0.0
    ready: bool = True

    def should_fail(self) -> bool:
        return self.fail_share > 0 and random.random() < self.fail_share

    async def delay(self) -> None:
        if self.delay_ms > 0:
            await wait.pause(self.delay_ms / 1000)

    def fields(self) -> dict[str, float | bool]:
        return {"failShare": self.fail_share, "delayMs": self.delay_ms, "ready": self.ready}

    def change(self, wanted: object) -> list[str]:
        """Apply the given fields, all or none; the result names what is wrong with them."""
        if not isinstance(wanted, dict):
            return ["the body must be a JSON object"]
        problems = [p for p in (_problem(str(k), v) for k, v in wanted.items()) if p]
        if not problems:
            self.fail_share = float(wanted.get("failShare", self.fail_share))
            self.delay_ms = float(wanted.get("delayMs", self.delay_ms))
            self.ready = bool(wanted.get("ready", self.ready))
        return problems


def _problem(key: str, value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match key:
        case "failShare" if not number or not 0 <= float(value) <= 1:  # type: ignore[arg-type]
            return f"failShare is {value!r}, allowed: a number from 0 to 1"
        case "delayMs" if not number or not 0 <= float(value) <= 60_000:  # type: ignore[arg-type]
            return f"delayMs is {value!r}, allowed: a number from 0 to 60000"
        case "ready" if not isinstance(value, bool):
            return f"ready is {value!r}, allowed: true or false"
        case "failShare" | "delayMs" | "ready":
            return ""
    return f"unknown field {key!r}, allowed: failShare, delayMs, ready"


def add_routes(app: web.Application, conduct: Conduct) -> None:
    """Serve /live, /ready and /control of `conduct` on `app`."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def ready(_: web.Request) -> web.Response:
        if conduct.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready: switched off by /control or stopping\n")

    async def show(_: web.Request) -> web.Response:
        return web.json_response(conduct.fields())

    async def control(request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
        except ValueError as error:
            return web.json_response({"problems": [f"the body is not JSON: {error}"]}, status=400)
        if problems := conduct.change(wanted):
            return web.json_response({"problems": problems}, status=400)
        return web.json_response(conduct.fields())

    app.router.add_get("/live", live)
    app.router.add_get("/ready", ready)
    app.router.add_get("/control", show)
    app.router.add_post("/control", control)
