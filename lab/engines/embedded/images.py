"""Which local program stands for an image, and what a container of it finds on its PATH.

Pure tables and rules; the topology's `images:` comes first, then what ships with the lab. The tag or
digest of an image is ignored by the shipped table. Used by init when a container or an exec starts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lab.engines.embedded.spawn import Program
from lab.pocket.node.runtime import UnknownImage

APPS = "lab.apps.main:main"
ECHO_ADVANCED = Program(entry=APPS, argv=("echo-advanced",))
SHIPPED = {
    "multicluster.lab/apps": Program(entry=APPS),
    "multicluster.lab/controlplane": Program(entry="lab.controlplane.main:main"),
    "multicluster.lab/proxy": Program(entry="lab.controlplane.proxy.main:main"),
    # The echo server of the Gateway API's conformance suite, under every name it has had.
    "registry.k8s.io/gateway-api/conformance/echo-advanced": ECHO_ADVANCED,
    "registry.k8s.io/gateway-api/echo-advanced": ECHO_ADVANCED,
    "gcr.io/k8s-staging-gateway-api/echo-advanced": ECHO_ADVANCED,
    "gcr.io/istio-release/app": ECHO_ADVANCED,
}
PACKAGE = "lab"

# Commands that every container finds on its PATH: name -> entry and first arguments.
COMMANDS: dict[str, Program] = {
    "client": Program(entry=APPS, argv=("client",)),
    "echo-client": Program(entry=APPS, argv=("client",)),
    "loadgen": Program(entry=APPS, argv=("loadgen",)),
    "proxy-admin": Program(entry="lab.controlplane.proxy.admin:main"),
    "proxy-certificate": Program(entry="lab.controlplane.proxy.certificate:main"),
}
# Commands that an image brings along, by the first argument of its program; they win over those of all.
OWN_COMMANDS = {ECHO_ADVANCED.argv: {"client": Program(entry=APPS, argv=("echo-advanced-client",))}}


@dataclass(frozen=True)
class Images:
    """The image table of one lab; `patterns` come from the topology, in its order."""

    patterns: Mapping[str, tuple[str, ...]]

    def program(self, image: str, command: Sequence[str], args: Sequence[str]) -> Program:
        """What to run for a container: its command as a program of the host, else what the image maps to.

        Raises UnknownImage with how to map the name.
        """
        if command:
            return shim((*command, *args)) or Program(argv=(*command, *args))
        found = self._mapped(image)
        return Program(entry=found.entry, argv=(*found.argv, *args))

    def _mapped(self, image: str) -> Program:
        for pattern, argv in self.patterns.items():
            if fnmatchcase(image, pattern) or fnmatchcase(bare(image), pattern):
                return _program(argv)
        if found := SHIPPED.get(bare(image)):
            return found
        known = ", ".join([*SHIPPED, *self.patterns])
        raise UnknownImage(
            f"no local program stands for image {image!r}; pods of this lab are processes, so map it in the"
            f' topology: images: {{"{bare(image)}:*": ["/path/to/program", "argument"]}} (known: {known})'
        )


def shim(argv: Sequence[str], container: Program | None = None) -> Program | None:
    """A command of the shipped tables as a Python program that starts by fork; None for all others.

    `container` is the program of the container that the command is run in.
    """
    own = OWN_COMMANDS.get(container.argv[:1], {}) if container and container.entry == APPS else {}
    if argv and (found := own.get(argv[0]) or COMMANDS.get(argv[0])):
        return Program(entry=found.entry, argv=(*found.argv, *argv[1:]))
    return None


def script(program: Program, interpreter: str) -> str:
    """The text of an executable that does the same, for shells and scripts inside a container."""
    module, _, function = program.entry.partition(":")
    return (
        f"#!{interpreter}\nimport sys\n\nfrom {module} import {function}\n\n"
        f"sys.exit({function}([{', '.join(map(repr, program.argv))}, *sys.argv[1:]]))\n"
    )


def bare(image: str) -> str:
    """An image's name without tag and digest."""
    return re.sub(r":[^:/]+$", "", image.partition("@")[0])


def _program(argv: Sequence[str]) -> Program:
    """`module:function` of this project is called in a fork; anything else is executed."""
    if re.fullmatch(rf"{PACKAGE}(\.\w+)+:\w+", argv[0]):
        return Program(entry=argv[0], argv=tuple(argv[1:]))
    return Program(argv=tuple(argv))
