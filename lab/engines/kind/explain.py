"""Why kind or Docker failed, as far as its words tell: a first failure must say what to do. Pure."""

import re

from lab.base.errors import CommandError, LabError

IMAGE_REMEDY = (
    "the image cannot be had: pull it yourself (`docker pull IMAGE`), or bring all images of the lab from a "
    "machine that has them with `lab images.save` and `lab images.load`, and use `lab up --offline`"
)
REMEDIES = (
    (r"failed to pull image|manifest unknown|pull access denied|no such host|toomanyrequests"
     r"|Unable to find image|registry.*(i/o timeout|deadline exceeded|connection refused)",
     IMAGE_REMEDY),
    (r"node\(s\) already exist for a cluster with the name",
     "another cluster of kind has this name and is not on this lab's network: remove it with `kind delete "
     "cluster --name NAME`, or give the lab another name (--lab)"),
    (r"too many open files|inotify",
     "sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"),
    (r"port is already allocated|address already in use",
     "another program took the port at the same moment: run `lab up` again"),
    (r"Cannot connect to the Docker daemon|permission denied.*docker\.sock",
     "start Docker, or join the group docker; `docker info` must work as this user"),
    (r"unable to decode config|unknown field|strict decoding error|failed to apply.*patch",
     "a patch under `kind: {kubeadm: …}` does not fit this kind; see the file named by --config"),
    (r"content digest sha256:\w+: not found",
     "Docker keeps only this machine's part of an image for several platforms, and kind wants all: turn "
     "off its containerd image store (`\"features\": {\"containerd-snapshotter\": false}` in daemon.json)"),
    (r"No matching distribution found|Temporary failure in name resolution|NewConnectionError",
     "the build could not reach the Python package index: see that containers reach the internet, or build "
     "the image where they do and bring it with `lab images.save` and `lab images.load`"),
    (r"no space left on device", "free some space: `docker system df` says what Docker holds"),
    (r"failed to init node with kubeadm|failed to join node|could not find a log line|timed out waiting",
     "the node did not come up; most often memory or inotify run out (`lab doctor --engine kind`). To look "
     "at it, run the command again with --retain, then `kind export logs --name NAME`"),
)  # fmt: skip


def explained(error: CommandError, line: str) -> LabError:
    """The error of a command with its whole command line and a remedy."""
    text = "\n".join(f"  {row}" for row in error.output.strip().splitlines()[-12:])
    program = error.argv[0]
    fallback = "run the command by hand" + ("; with -v 3 it says more" if program == "kind" else "")
    remedy = next((what for pattern, what in REMEDIES if re.search(pattern, error.output)), fallback)
    return LabError(
        f"{program} ended with code {error.code}\n  {line}\n{text or '  (no output)'}", remedy=remedy
    )
