"""A pod's folder on the node: its volumes, generated /etc files and logs, and the mounts made of them."""

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lab.base.state import make_private
from lab.kube.objects import Object, namespace, uid
from lab.pocket.node import hostfiles
from lab.pocket.node.environment import expand
from lab.pocket.node.fields import BadReference
from lab.pocket.node.identity import fs_group, has_other_users
from lab.pocket.node.kit import Kit
from lab.pocket.node.runtime import Mount
from lab.pocket.node.volumes import content
from lab.pocket.node.volumes.places import Places
from lab.pocket.node.volumes.tokens import Tokens
from lab.pocket.node.volumes.tree import write_tree

ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
ACCOUNT_VOLUME = "..kube-api-access"
"""Not a legal volume name, so no pod can mean it."""


class PodFolder:
    """One pod's files; `prepare` before the first container, `refresh` when sources changed."""

    def __init__(self, kit: Kit, pod: Object) -> None:
        self._kit, self._pod = kit, pod
        self.root = kit.config.pods_dir / uid(pod)
        self._memory = (kit.config.memory_dir or kit.config.pods_dir) / uid(pod)
        group = fs_group(pod) if kit.config.many_users else None
        self.places = Places(self.root, self._memory, partial(kit.claims.folder, namespace(pod)), group)
        self.tokens = Tokens(kit.client)
        self._volumes: list[dict[str, Any]] = list(pod["spec"].get("volumes") or ())
        self.references = content.references(self._volumes)

    async def prepare(self, pod: Object, ip: str) -> None:
        """Make every volume and generated file. Raises BadReference while a source is missing."""
        make_private(self.root)
        self._write_etc(pod, ip)
        for volume in self._volumes:
            self._set_up(volume, partial(self.places.make, volume))
        await self.refresh(pod)

    async def refresh(self, pod: Object) -> None:
        """Bring written volumes up to date; readers never see half of a change."""
        self._pod = pod
        written = [v for v in self._volumes if content.is_written(v)]
        account = content.TokenWish("", 3607)
        wishes = list(content.token_wishes(written) | ({account} if self._has_account else set()))
        values = await asyncio.gather(*(self.tokens.get(pod, wish) for wish in wishes))
        tokens = dict(zip(wishes, values, strict=True))
        mode = content.OPEN_TOKEN_MODE if has_other_users(pod) else content.TOKEN_MODE
        sources = content.Sources(pod, self._kit.lookup(namespace(pod)), tokens, mode)
        for volume in written:
            self._set_up(volume, partial(self._write, volume, sources))
        if self._has_account:
            write_tree(self.root / "volumes" / ACCOUNT_VOLUME, self._account(tokens[account]))

    def mounts(self, container: dict[str, Any], env: dict[str, str]) -> tuple[Mount, ...]:
        """Everything that this container finds mounted."""
        etc = self.root / "etc"
        mounts = [Mount(f"/etc/{name}", str(etc / name)) for name in ("hosts", "resolv.conf", "hostname")]
        own = [self._mount(mount, env) for mount in container.get("volumeMounts") or ()]
        if self._has_account and not any(mount.target == ACCOUNT_PATH for mount in own):
            source = self.root / "volumes" / ACCOUNT_VOLUME
            mounts.append(Mount(ACCOUNT_PATH, str(source), read_only=True))
        return (*mounts, *own)

    def log_path(self, container: str, attempt: int) -> Path:
        return self.root / "logs" / container / f"{attempt}.log"

    def new_log(self, container: str, attempt: int) -> Path:
        """The log path of an attempt that is about to start; its folder is there."""
        path = self.log_path(container, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def termination_path(self, container: str, attempt: int) -> Path:
        """The file that this attempt finds mounted at its terminationMessagePath; anyone may write it."""
        folder = self.root / "termination" / container
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / str(attempt)
        if not path.exists():
            path.touch()
            path.chmod(0o666)
        return path

    def remove(self) -> None:
        """Drop the folder with everything in it."""
        for root in {self.root, self._memory}:
            shutil.rmtree(root, ignore_errors=True)

    @property
    def _has_account(self) -> bool:
        spec = self._pod["spec"]
        account = self._kit.service_accounts.get(
            namespace(self._pod), spec.get("serviceAccountName") or "default"
        )
        wished = spec.get("automountServiceAccountToken")
        if wished is None and account:
            wished = account.get("automountServiceAccountToken")
        return wished is not False

    def _account(self, token: str) -> content.Files:
        return {
            "token": content.File(token.encode(), content.TOKEN_MODE),
            "ca.crt": content.File(self._kit.config.ca_file.read_bytes()),
            "namespace": content.File(namespace(self._pod).encode()),
        }

    def _write_etc(self, pod: Object, ip: str) -> None:
        etc = self.root / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "hosts").write_text(hostfiles.hosts(pod, ip, self._kit.config.cluster_domain))
        (etc / "resolv.conf").write_text(hostfiles.resolv_conf(pod, self._kit.config))
        (etc / "hostname").write_text(hostfiles.hostname(pod, self._kit.config.cluster_domain) + "\n")

    def _write(self, volume: dict[str, Any], sources: content.Sources) -> None:
        write_tree(self.places.of(volume), content.files(volume, sources), self.places.group)

    def _set_up(self, volume: dict[str, Any], work: Callable[[], object]) -> None:
        try:
            work()
        except BadReference as error:
            raise BadReference(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error

    def _mount(self, mount: dict[str, Any], env: dict[str, str]) -> Mount:
        volume = next((v for v in self._volumes if v["name"] == mount["name"]), None)
        if volume is None:
            raise BadReference(f'volumeMount {mount["mountPath"]!r}: no volume "{mount["name"]}" in the pod')
        source = self.places.of(volume)
        sub = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
        if sub:
            if Path(sub).is_absolute() or ".." in Path(sub).parts:
                raise BadReference(f"volumeMount {mount['mountPath']!r}: subPath {sub!r} leaves the volume")
            source = source / sub
            if not source.exists():
                source.mkdir(parents=True)
            source = source.resolve()
        read_only = mount.get("readOnly") or (volume.get("persistentVolumeClaim") or {}).get("readOnly")
        return Mount(mount["mountPath"], str(source), read_only=bool(read_only))
