#!/usr/bin/env python3
"""A stand-in for the program `kind`, for machines that cannot have its node image.

It makes and removes the containers that kind makes, with kind's labels and settings, from an image of the
tests, loads images as kind does, and records how it was called; test_kind_program.py holds these calls
against the real program.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import docker
import yaml


def main(argv: list[str]) -> int:
    with Path(os.environ["KIND_RECORD"]).open("a") as file:
        network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK", "kind")
        file.write(json.dumps({"argv": argv, "network": network}) + "\n")
    if argv == ["version"]:
        sys.stdout.write("kind v0.33.0 go1.26.8 linux/amd64\n")
        return 0
    flags = dict(word.split("=", 1) for word in argv[2:] if word.startswith("--"))
    if words := os.environ.get("KIND_FAILS_WITH"):
        sys.stderr.write(words)
        return 1
    with closing(docker.from_env()) as client:
        if argv[:2] == ["create", "cluster"]:
            create(client, yaml.safe_load(Path(flags["--config"]).read_text()), network)
            return 0
        nodes = client.containers.list(all=True, filters={"label": f"{LABEL}.cluster={flags['--name']}"})
        for node in nodes:
            if argv[:2] == ["load", "image-archive"]:
                load(node.name, Path(argv[2]))
            else:
                node.remove(force=True, v=True)
    return 0


def load(node: str, archive: Path) -> None:
    words = "ctr --namespace=k8s.io images import --all-platforms --digests --snapshotter=overlayfs -"
    with archive.open("rb") as file:
        subprocess.run(["docker", "exec", "-i", node, *words.split()], stdin=file, check=True)


LABEL = "io.x-k8s.kind"


def create(client: docker.DockerClient, config: dict, network: str) -> None:
    seen = 0
    for node in config["nodes"]:
        is_head = node["role"] == "control-plane"
        seen += not is_head
        suffix = "control-plane" if is_head else f"worker{seen if seen > 1 else ''}"
        name = f"{config['name']}-{suffix}"
        client.containers.run(
            node["image"], detach=True, name=name, hostname=name, network=network, tty=True,
            # kind's nodes are privileged; a machine that gives tests less still has these
            cap_add=["NET_ADMIN", "SYS_ADMIN"], sysctls={"net.ipv4.ip_forward": "1"},
            labels={f"{LABEL}.cluster": config["name"], f"{LABEL}.role": node["role"]},
            restart_policy={"Name": "on-failure", "MaximumRetryCount": 1}, volumes=["/var"],
            tmpfs={"/run": "", "/tmp": ""}, ports={"6443/tcp": ("127.0.0.1", None)} if is_head else {},
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
