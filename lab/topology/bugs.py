"""Bugs of Linkerd that the embedded mesh can reproduce: their names, and which versions have them anyway.

`mesh.emulate` asks for more. What each does to callers is shown in topologies/bugs, with the public issue.
"""

from collections.abc import Mapping
from typing import Literal, get_args

Bug = Literal[
    "restart-vs-live-gateway",
    "restart-vs-dead-gateway",
    "headless-mirrors-collected",
    "headless-mirrors-mixed-up",
    "empty-backend-keeps-share",
    "federated-ports-frozen",
]
BUGS: tuple[Bug, ...] = get_args(Bug)
BUGS_OF: Mapping[str, tuple[Bug, ...]] = {"2.14": ("headless-mirrors-collected",)}
"""Which bugs a version has without being asked for them. What 2.14 did to an empty backend is not among them:
its proxies failed in blips, and the emulation fails all the time."""
