"""An image that stands for kindest/node: a shell and the real ip, nft and tc, of this machine, from scratch.

It has what this engine touches in a node: kind's files, and something that starts and stops a program named
kube-apiserver as its manifest comes and goes, which is the kubelet's work in a real one.
"""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

TAG = "lab.test/node:1"
TOOLS = ("ip", "nft", "tc")
NEEDED = ("busybox", *TOOLS)
APPLETS = ("sh", "ls", "cat", "mv", "sleep", "grep", "ping", "mkdir")

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
        for folder in ("bin", "etc/kubernetes/manifests", "run", "tmp", "var", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        _add(tar, "bin/busybox", Path(shutil.which("busybox") or "").read_bytes())
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, file in _programs().items():
            _add(tar, name, file.read_bytes())
        _add(tar, "bin/kubelet", KUBELET.encode())
        _add(tar, "bin/kube-apiserver", API.encode())
        _add(tar, "etc/kubernetes/admin.conf", ADMIN.encode())
        _add(tar, "etc/kubernetes/manifests/kube-apiserver.yaml", b"kind: Pod\n")
    return buffer.getvalue()


def _programs() -> dict[str, Path]:
    """The tools and every library that they load, by their place in the image."""
    found: dict[str, Path] = {}
    for name in TOOLS:
        program = Path(shutil.which(name) or "").resolve()
        found[f"bin/{name}"] = program
        said = subprocess.run(["ldd", str(program)], text=True, capture_output=True, check=True).stdout
        for word in said.split():
            if word.startswith("/"):
                found[word.lstrip("/")] = Path(word).resolve()
    return found


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    tar.addfile(entry, io.BytesIO(content))
