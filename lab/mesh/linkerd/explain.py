"""Why a program that prints manifests failed, as far as its words tell: what to do next. Pure."""

import re

from lab.base.errors import CommandError, LabError

REMEDIES = (
    (r"Gateway API CRDs must be installed",
     "apply the Gateway API's definitions: kubectl apply --server-side -f manifests/gateway-api"),
    (r"It appears that there is an existing installation",
     "somebody else installed Linkerd here; remove it, or choose another cluster"),
    (r"unable to retrieve.*linkerd-config|you need Linkerd to be installed",
     "the control plane is not there: `lab up` installs it"),
    (r"has no ingress addresses",
     "no load balancer gave the gateway an address: install one, or leave gateway out of the links"),
    (r"could not find service account token secret",
     "the cluster made no token for the mirror's account; is its controller manager running?"),
    (r"issuer certificate does not work with the trust anchors",
     "proxies run that do not trust the new issuer: restart their pods, then `lab up` again"),
    (r"unknown flag|unknown command",
     "this program is older or newer than the lab knows: `lab tools` fetches one that it does"),
    (r"connection refused|no such host|i/o timeout|context deadline exceeded",
     "the cluster's API server, or for Helm the repository of charts, cannot be reached from here"),
    (r"[Ff]orbidden|Unauthorized",
     "the kubeconfig's user may not do this; Linkerd needs cluster-admin to be installed"),
    (r"context .* does not exist|no context exists",
     "the lab's kubeconfig lacks this cluster: `lab up` writes it anew"),
    (r"chart .* not found|failed to fetch|looks like .* is not a valid chart repository",
     "Helm cannot get the chart: is helm.linkerd.io reachable?"),
)  # fmt: skip


def explained(error: CommandError, line: str) -> LabError:
    """The program's last words, the whole line to run by hand, and what is likely to help."""
    words = "\n".join(f"  {row}" for row in error.output.strip().splitlines()[-12:])
    remedy = next(
        (what for pattern, what in REMEDIES if re.search(pattern, error.output)),
        "run the line by hand; with --verbose the CLI says more",
    )
    return LabError(
        f"{error.argv[0]} ended with code {error.code}\n  {line}\n{words or '  (no output)'}", remedy=remedy
    )
