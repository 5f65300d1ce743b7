"""What this engine does to a machine, as data: `lab plan` prints it, `perform` does it. Pure.

What goes through Docker's API is printed as the command of Docker that does the same.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class WriteFile:
    where: str
    path: Path
    content: str = field(repr=False)

    @property
    def line(self) -> str:
        return f"cat > {shlex.quote(str(self.path))} <<'END'\n{self.content.rstrip()}\nEND"


@dataclass(frozen=True)
class RunKind:
    """Run kind; `network` is the Docker network it puts nodes on."""

    where: str
    argv: tuple[str, ...]
    network: str
    timeout: float

    @property
    def env(self) -> dict[str, str]:
        return {"KIND_EXPERIMENTAL_DOCKER_NETWORK": self.network}

    @property
    def line(self) -> str:
        return " ".join([*(f"{k}={shlex.quote(v)}" for k, v in self.env.items()), "kind", _words(self.argv)])


@dataclass(frozen=True)
class RunDocker:
    """Run the command `docker`, as a user would."""

    where: str
    argv: tuple[str, ...]
    timeout: float

    @property
    def line(self) -> str:
        return f"docker {_words(self.argv)}"


@dataclass(frozen=True)
class RemoveFile:
    where: str
    path: Path

    @property
    def line(self) -> str:
        return f"rm {shlex.quote(str(self.path))}"


@dataclass(frozen=True)
class LimitNode:
    """Bound what a node may use, in processors and bytes; 0 leaves it as it is."""

    where: str
    node: str
    cpus: float = 0.0
    memory: int = 0

    @property
    def line(self) -> str:
        words = [f"--cpus={self.cpus:g}"] if self.cpus else []
        words += [f"--memory={self.memory}", f"--memory-swap={self.memory}"] if self.memory else []
        return f"docker update {_words(words)} {self.node}"


@dataclass(frozen=True)
class StartNode:
    """Start a node that ended by itself or with Docker."""

    where: str
    node: str

    @property
    def line(self) -> str:
        return f"docker start {self.node}"


@dataclass(frozen=True)
class InNode:
    """Run a program inside a node."""

    where: str
    node: str
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"docker exec {self.node} {_words(self.argv)}"


Act = WriteFile | RemoveFile | RunKind | RunDocker | LimitNode | StartNode | InNode


def _words(argv: tuple[str, ...] | list[str]) -> str:
    return shlex.join(argv)
