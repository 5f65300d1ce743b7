"""A Docker engine of the tests' own: its own socket, folders and network; ended by its pid, nothing left."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.kind import node_image, python_image

SECONDS = 40.0


@dataclass
class Dockerd:
    """A running engine; `client` is the SDK's own, for what tests do by hand."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/sock"

    def client(self) -> AbstractContextManager[docker.DockerClient]:
        return closing(docker.DockerClient(base_url=self.host, timeout=30))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(SECONDS)

    def start(self) -> None:
        self.process = _start(self.folder)

    def log(self) -> str:
        return (self.folder / "log").read_text()[-3000:]


def why_not() -> str:
    """Why no Docker engine can be started here; empty where it can."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    programs = [name for name in ("dockerd", "containerd", "runc", "iptables") if not shutil.which(name)]
    if missing := [*programs, *node_image.missing()]:
        return (
            f"not installed here: {', '.join(missing)} (Debian: docker.io iptables nftables busybox-static)"
        )
    return ""


def start(folder: Path) -> Dockerd:
    """Raises pytest's failure with the engine's last words if it does not answer in time."""
    engine = Dockerd(folder, _start(folder))
    with engine.client() as client:
        client.api.import_image_from_data(
            node_image.archive(), repository=node_image.TAG, changes='ENTRYPOINT ["/bin/kubelet"]'
        )
        client.api.import_image_from_data(python_image.small(), repository=python_image.SMALL)
    return engine


def end(engine: Dockerd) -> None:
    """Containers first: an engine that is killed leaves their processes running."""
    sweep(engine)
    engine.stop()
    shutil.rmtree(engine.folder)


def sweep(engine: Dockerd) -> None:
    """Remove everything but images."""
    with engine.client() as client:
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters={"type": "custom"}):
            network.remove()
        for volume in client.volumes.list():
            volume.remove()


def _start(folder: Path) -> subprocess.Popen[bytes]:
    flags = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
    argv = ["dockerd", "--bridge=none", f"--host=unix://{folder}/sock"]
    argv += [f"{flag}={folder}/{name}" for flag, name in flags.items()]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    deadline = time.monotonic() + SECONDS
    while not _accepts(folder):
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            pytest.fail(f"dockerd does not answer:\n{(folder / 'log').read_text()[-3000:]}")
        time.sleep(0.2)
    return process


def _accepts(folder: Path) -> bool:
    """Asked by a plain socket: the SDK leaves its own open when nobody answers."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(f"{folder}/sock") == 0
