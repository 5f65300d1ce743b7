"""The admin endpoint of the mesh's programs: /live, /ready and /metrics, plain HTTP.

A program gives it a readiness question and a registry; neither knows what the other does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

Labels = tuple[tuple[str, str], ...]


@dataclass
class Metrics:
    """Counters, gauges and histograms of one program in Prometheus' text format; names must be declared
    first.
    """

    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)
    bounds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    values: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def declare(self, name: str, kind: str, text: str) -> None:
        self.kinds[name] = (kind, text)

    def declare_histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> None:
        """`bounds` are the upper bounds of the buckets, ascending."""
        self.declare(name, "histogram", text)
        self.bounds[name] = bounds

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Count a value in a histogram."""
        for bound in self.bounds[name]:
            self.add(f"{name}_bucket", float(value <= bound), **labels, le=f"{bound:g}")
        self.add(f"{name}_bucket", 1, **labels, le="+Inf")
        self.add(f"{name}_sum", value, **labels)
        self.add(f"{name}_count", 1, **labels)

    def set(self, name: str, value: float, **labels: str) -> None:
        self.values[name, tuple(sorted(labels.items()))] = value

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        self.values[key] = self.values.get(key, 0) + amount

    def get(self, name: str, **labels: str) -> float:
        return self.values.get((name, tuple(sorted(labels.items()))), 0)

    def text(self) -> str:
        lines = []
        for name, (kind, about) in self.kinds.items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            parts = {
                f"{name}{end}" for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
            }
            for (found, labels), value in self.values.items():
                if found in parts:
                    inside = ",".join(f'{k}="{_escape(v)}"' for k, v in labels)
                    lines.append(f"{found}{{{inside}}} {value:g}" if inside else f"{found} {value:g}")
        return "\n".join(lines) + "\n"


def application(metrics: Metrics, not_ready: Callable[[], str]) -> web.Application:
    """The three endpoints; `not_ready` says why the program is not ready, or "" when it is."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def ready(_: web.Request) -> web.Response:
        reason = not_ready()
        return web.Response(text=f"{reason or 'ready'}\n", status=503 if reason else 200)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(text=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()
    app.add_routes([web.get("/live", live), web.get("/ready", ready), web.get("/metrics", exposition)])
    return app


async def serve(app: web.Application, port: int) -> web.AppRunner:
    """Start serving on all addresses; the caller cleans the runner up."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, None, port, reuse_address=True).start()
    return runner


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
