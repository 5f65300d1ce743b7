"""Program `linkerd-proxy`: gets the pod's certificate, starts Envoy with it and renews it.

The launcher itself only waits for signals: certificates are fetched and metrics translated by short-lived
children, and Envoy serves the admin port (bootstrap.py), so that an idle pod costs little more than its
Envoy. It ends when Envoy ends.
"""

import asyncio
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Sequence
from functools import partial

from lab.base.errors import LabError
from lab.base.log import get_logger, setup
from lab.base.wait import Backoff
from lab.controlplane.identity.client import Workload
from lab.controlplane.proxy import children, envoy, scrape
from lab.controlplane.proxy.bootstrap import bootstrap
from lab.controlplane.proxy.children import AWAITED
from lab.controlplane.proxy.launch import Launch, launch_of

log = get_logger(__name__)

STOP_GRACE = 5.0
FOREVER = 86400.0


class Launcher:
    """One pod's proxy; `run` is the container's life."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._directory = launch.credentials.directory
        self._backoff = Backoff(1, 60)
        self._envoy = self._worker = 0
        self._due = 0.0

    def run(self) -> int:
        """Certificate, Envoy, renewal; until a signal or Envoy's end. Returns the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
        self._fetch()
        metrics = scrape.listen(self._launch.places.metrics)
        _signal_requests(metrics)
        while True:
            patience = FOREVER if self._worker else max(self._due - time.time(), 0.0)
            seen = signal.sigtimedwait(AWAITED, patience)
            if seen is None or seen.si_signo == signal.SIGHUP:
                self._fetch()
            elif seen.si_signo == signal.SIGIO:
                self._answer(metrics)
            elif seen.si_signo == signal.SIGCHLD:
                code = self._reap()
                if code is not None:
                    log.error("envoy ended", code=code)
                    return code
            else:
                self._stop()
                return 0

    def _answer(self, metrics: socket.socket) -> None:
        """One signal may stand for several requests."""
        while connection := scrape.accepted(metrics):
            with connection:
                children.start(partial(scrape.answer, connection, self._launch.places.admin))

    def _fetch(self) -> None:
        if not self._worker:
            self._worker = children.start(self._certify)

    def _certify(self) -> int:
        """In a child: get a certificate, however long it takes, and write down when to renew it."""
        workload = Workload(self._launch.credentials)
        asyncio.run(workload.obtain_eventually())
        (self._directory / "renew-at").write_text(str(workload.renew_at().timestamp()))
        return 0

    def _reap(self) -> int | None:
        """Take note of ended children; returns Envoy's exit code if it was Envoy (128 + N for a signal N)."""
        for pid, code in children.ended():
            if pid == self._envoy:
                self._envoy = 0
                return code
            if pid == self._worker:
                self._worker = 0
                self._certified() if code == 0 else self._failed()
        return None

    def _certified(self) -> None:
        self._backoff.reset()
        self._due = float((self._directory / "renew-at").read_text())
        if not self._envoy:
            config = self._directory / "bootstrap.json"
            config.write_text(json.dumps(bootstrap(self._launch.identity, self._launch.places)))
            self._envoy = envoy.start_envoy(config, self._launch.log_level)
            log.info("envoy started", pid=self._envoy, name=self._launch.credentials.name)

    def _failed(self) -> None:
        self._due = time.time() + self._backoff.next()
        log.error("the certificate could not be fetched, trying again", seconds=self._due - time.time())

    def _stop(self) -> None:
        """Drain (a gateway has clients; a sidecar's app is gone already), TERM, then KILL."""
        if self._envoy and self._launch.identity.role == "gateway":
            envoy.drain(self._launch.places.admin)
            self._await_envoy(envoy.DRAIN_TIME)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._envoy:
                os.kill(self._envoy, number)
                self._await_envoy(STOP_GRACE)

    def _await_envoy(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._envoy and (left := deadline - time.monotonic()) > 0:
            signal.sigtimedwait([signal.SIGCHLD], left)
            self._reap()


def _signal_requests(listener: socket.socket) -> None:
    """Have the kernel send SIGIO to this process, and not to its children, for each request."""
    fcntl.fcntl(listener, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(listener, fcntl.F_SETFL, fcntl.fcntl(listener, fcntl.F_GETFL) | os.O_ASYNC)


def main(argv: Sequence[str]) -> int:
    del argv  # everything comes by environment, as the injector writes it
    setup()
    try:
        return Launcher(launch_of(os.environ)).run()
    except LabError as error:
        log.error("cannot start", error=error, remedy=error.remedy)
        return 1
