#!/usr/bin/env python3
"""A stand-in for the program `kind`, for machines that cannot have its node image.

It makes and removes the containers that kind makes, with kind's labels and settings, from an image of the
tests, loads images as kind does, and records how it was called; test_kind_program.py holds these calls
against the real program. KIND_APIS says where the API server of a cluster really is: administrator's file and
address.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

LABEL = "io.x-k8s.kind"
IMPORT = "ctr --namespace=k8s.io images import --all-platforms --digests --snapshotter=overlayfs -"


def main(argv: list[str]) -> int:
    network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK", "kind")
    with Path(os.environ["KIND_RECORD"]).open("a") as file:
        file.write(json.dumps({"argv": argv, "network": network}) + "\n")
    if argv == ["version"]:
        sys.stdout.write("kind v0.33.0 go1.26.8 linux/amd64\n")
        return 0
    if words := os.environ.get("KIND_FAILS_WITH"):
        sys.stderr.write(words)
        return 1
    flags = dict(word.split("=", 1) for word in argv[2:] if word.startswith("--"))
    if argv[0] == "create":
        create(Path(flags["--config"]), network)
        return 0
    for node in docker("ps", "--all", "--quiet", f"--filter=label={LABEL}.cluster={flags['--name']}").split():
        if argv[0] == "load":
            with Path(argv[2]).open("rb") as file:
                docker("exec", "--interactive", node, *IMPORT.split(), stdin=file)
        else:
            docker("rm", "--force", "--volumes", node)
    return 0


def docker(*argv: str, stdin: IO[bytes] | None = None) -> str:
    done = subprocess.run(["docker", *argv], stdin=stdin, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def create(file: Path, network: str) -> None:
    import yaml

    config = yaml.safe_load(file.read_text())
    seen = 0
    for node in config["nodes"]:
        is_head = node["role"] == "control-plane"
        seen += not is_head
        suffix = "control-plane" if is_head else f"worker{seen if seen > 1 else ''}"
        name = f"{config['name']}-{suffix}"
        docker(
            "run", "--detach", f"--name={name}", f"--hostname={name}", f"--network={network}", "--tty",
            # kind's nodes are privileged; a machine that gives tests less still has these
            "--cap-add=NET_ADMIN", "--cap-add=SYS_ADMIN", "--sysctl=net.ipv4.ip_forward=1",
            f"--label={LABEL}.cluster={config['name']}", f"--label={LABEL}.role={node['role']}",
            "--restart=on-failure:1", "--volume=/var", "--tmpfs=/run", "--tmpfs=/tmp",
            *(["--publish=127.0.0.1::6443"] if is_head else []), node["image"],
        )  # fmt: skip
        if is_head and (api := json.loads(os.environ.get("KIND_APIS", "{}")).get(config["name"])):
            docker("cp", api["admin"], f"{name}:/etc/kubernetes/admin.conf")
            docker("exec", "--detach", name, "nc", "-ll", "-p", "6443", "-e", "nc", *api["at"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
