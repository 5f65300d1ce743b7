"""An image that stands for kindest/node: a shell and the real ip, nft and tc, of this machine, from scratch.

It has what this engine touches in a node: kind's files, containerd, and something that starts and stops a
program named kube-apiserver as its manifest comes and goes, which is the kubelet's work in a real one.
"""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

TAG = "lab.test/node:1"
TOOLS = ("ip", "nft", "tc", "containerd", "ctr")
NEEDED = ("busybox", *TOOLS)
APPLETS = ("sh", "ls", "cat", "mv", "sleep", "grep", "ping", "mkdir", "touch", "true", "nc", "nslookup")

ADMIN = """\
apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "https://x:6443", certificate-authority-data: Q0E=}}]
users: [{name: u, user: {client-certificate-data: Q1JU, client-key-data: S0VZ}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
"""
KUBELET = """\
#!/bin/sh
trap 'exit 0' TERM
containerd --log-level=error &
while :; do
  if [ -e /etc/kubernetes/manifests/kube-apiserver.yaml ]; then
    kill -0 "$api" 2>/dev/null || { /bin/kube-apiserver & api=$!; }
  elif [ -n "$api" ]; then
    kill -9 "$api" 2>/dev/null; wait "$api"; api=
  fi
  sleep 0.1
done
"""
API = "#!/bin/sh\nwhile :; do sleep 1; done\n"


def missing() -> list[str]:
    """Programs of this machine that the image is made of, and are not there."""
    return [name for name in NEEDED if not shutil.which(name)]


def archive() -> bytes:
    """The image's files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("etc/kubernetes/manifests", "run", "var", "proc", "sys", "dev"):
            add_folder(tar, folder)
        add_busybox(tar, APPLETS)
        tools = {f"bin/{name}": Path(shutil.which(name) or "").resolve() for name in TOOLS}
        for name, file in {**tools, **libraries(tools.values())}.items():
            add(tar, name, file.read_bytes())
        add(tar, "bin/kubelet", KUBELET.encode())
        add(tar, "bin/kube-apiserver", API.encode())
        add(tar, "etc/kubernetes/admin.conf", ADMIN.encode())
        add(tar, "etc/kubernetes/manifests/kube-apiserver.yaml", b"kind: Pod\n")
    return buffer.getvalue()


def add_busybox(tar: tarfile.TarFile, applets: Iterable[str]) -> None:
    """A shell and its commands, and the folder for what they leave."""
    add_folder(tar, "bin")
    add_folder(tar, "tmp")
    add(tar, "bin/busybox", Path(shutil.which("busybox") or "").read_bytes())
    for name in applets:
        link = tarfile.TarInfo(f"bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)


def libraries(files: Iterable[Path]) -> dict[str, Path]:
    """Every library that programs and libraries of this machine load, by its place in an image."""
    asked = [str(file) for file in files if file.read_bytes()[:4] == b"\x7fELF"]
    said = subprocess.run(["ldd", *asked], text=True, capture_output=True, check=False).stdout
    rows = [line.split() for line in said.splitlines() if line.startswith("\t")]
    return {word.lstrip("/"): Path(word).resolve() for row in rows for word in row if word.startswith("/")}


def add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(entry)


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    tar.addfile(entry, io.BytesIO(content))
