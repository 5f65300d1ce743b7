#!/usr/bin/env python3
"""A stand-in for the program `helm`, as far as the lab calls it: it renders one of Linkerd's charts.

It refuses flags that `helm template --help` lacks, charts and versions that the release does not have, and
values that these charts do not have. Like Helm it prints no namespaces and looks at no cluster.
"""

import json
import os
import re
import sys
from pathlib import Path

import stand_in
import yaml
from stand_in import Object, Refused, encoded, rendered, rendered_extension, shipped

FLAGS = {"api-versions", "include-crds", "kube-version", "namespace", "no-hooks", "repo", "set", "set-file",
         "set-json", "set-string", "skip-crds", "values", "version"}  # fmt: skip
REPOSITORY, VERSION = "https://helm.linkerd.io/edge", "20" + stand_in.RELEASE.removeprefix("edge-")
FILES = ("identityTrustAnchorsPEM", "identity.issuer.tls.crtPEM", "identity.issuer.tls.keyPEM")
VALUES = (*stand_in.VALUES, r"disableHeartBeat=true", r"gateway\.enabled=(true|false)")


def render(words: list[str]) -> list[Object]:
    command, _, chart = [word for word in words if not word.startswith("-")]
    pairs = [word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("-")]
    flags = dict(pairs)
    if command != "template" or (unknown := flags.keys() - FLAGS):
        raise Refused(f"unknown flag or command: {command} {unknown}")
    if (flags["repo"], flags["version"]) != (REPOSITORY, VERSION):
        raise Refused(f"chart {chart!r} version {flags['version']!r} not found in {flags['repo']} repository")
    values = [value for name, value in pairs if name == "set"]
    for value in values:
        if not any(re.fullmatch(known, value) for known in VALUES):
            raise Refused(f"no chart of this release has the value {value}")
    if chart == "linkerd-crds":
        return [one for one in shipped("crds/policy.yaml") if one["kind"] == "CustomResourceDefinition"]
    if chart == "linkerd-control-plane":
        files = dict(value.split("=") for name, value in pairs if name == "set-file")
        anchors, certificate, key = (Path(files[name]).read_text() for name in FILES)
        return rendered({"crt.pem": encoded(certificate), "key.pem": encoded(key)}, anchors)
    return rendered_extension(" ".join(values), gateway="gateway.enabled=true" in values)


def main(argv: list[str]) -> int:
    with Path(os.environ["LINKERD_RECORD"]).open("a") as file:
        file.write(json.dumps(["helm", *argv]) + "\n")
    try:
        yaml.dump_all(render(argv), sys.stdout, yaml.CSafeDumper)
    except Refused as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
