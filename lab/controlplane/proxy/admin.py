"""`proxy-admin`: what a proxy says of itself, as one JSON object {path: answer}; run in its container.

`lab bundle` runs it; so can anybody: `lab exec west/shop/front --container linkerd-proxy -- proxy-admin`.
With arguments, the answers to these paths of Envoy's admin interface instead. Its socket is reachable only
in the proxy's own container.
"""

import json
import sys
from collections.abc import Sequence

from lab.controlplane.proxy.bootstrap import Places
from lab.controlplane.proxy.envoy import ask

COMMAND = "proxy-admin"
PATHS = ("/config_dump?include_eds", "/clusters", "/listeners", "/stats?usedonly", "/certs")


def main(argv: Sequence[str]) -> int:
    """Print the answers; a path that is not answered has the reason instead."""
    socket = Places().admin
    if not socket.exists():
        sys.stderr.write(f"{COMMAND}: there is no proxy in this container: no {socket}\n")
        return 1
    answers = {}
    for path in argv or PATHS:
        try:
            answers[path] = ask(socket, "GET", path).decode(errors="replace")
        except OSError as error:
            answers[path] = f"not answered: {error}"
    json.dump(answers, sys.stdout)
    return 0
