#!/usr/bin/env python3
"""A stand-in for the program `linkerd`, for machines that cannot have its images.

It refuses commands and flags that the CLI reference of its release lacks (cli-*.json), looks at the cluster
as the CLI does before it prints, prints small manifests, and records how it was called. Its first word is the
release that it stands for; what it prints of the extension are the lab's own manifests, with Linkerd's names.
"""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
MANIFESTS = HERE.parent.parent.parent / "manifests"
RELEASE = sys.argv[1]
MANAGED = not RELEASE.startswith("stable-2.14.")
REFERENCE = json.loads((HERE / f"cli-{'2.20' if MANAGED else '2.14'}.json").read_text())
EXTENSION = "linkerd-multicluster"
VALUES = (
    r"installGatewayAPI=(true|false)",
    r"enableHeadlessServices=true" if not MANAGED else r"enableNamespaceCreation=true",
    r"controllers\[\d+\]\.(link\.ref\.name=.+|gateway\.enabled=false|enableHeadlessServices=true)",
)
"""Values of the charts that the lab sets, as their values.yaml and templates have them."""
Object = dict[str, Any]
CORE, CRDS = "/api/v1/namespaces", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Refused(Exception):
    """What the CLI would print after `Error:` or instead of manifests."""


def parse(words: list[str]) -> tuple[str, dict[str, str]]:
    """The command, and its flags; --set may come often and is joined by spaces."""
    command = " ".join(word for word in words if not word.startswith("-"))
    if command not in REFERENCE["commands"]:
        raise Refused(f'unknown command "{command}" for "linkerd"')
    flags: dict[str, str] = {}
    for word in (word for word in words if word.startswith("-")):
        name, _, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in REFERENCE["commands"][command] + REFERENCE["global"]:
            raise Refused(f"unknown flag: {word}")
        flags[name] = f"{flags[name]} {value}" if name in flags else value
    for value in flags.get("set", "").split():
        if not any(re.fullmatch(known, value) for known in VALUES):
            raise Refused(f"no chart of this release has the value {value}")
    return command, flags


def get(flags: dict[str, str], path: str) -> Object | None:
    """What the API of the cluster that the flags name has there, or None; so it is without a cluster."""
    if "ignore-cluster" in flags and not Path(flags["kubeconfig"]).exists():
        return None
    place = [f"--kubeconfig={flags['kubeconfig']}", f"--context={flags['context']}"]
    argv = [str(Path(sys.executable).parent / "kubectl"), *place, "get", "--raw", path]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode and "(NotFound)" not in done.stderr:
        raise Refused(done.stderr)
    return None if done.returncode else json.loads(done.stdout)


def shipped(*names: str) -> list[Object]:
    return [
        doc
        for name in names
        for doc in yaml.load_all((MANIFESTS / name).read_text(), yaml.CSafeLoader)
        if doc
    ]


def definitions(flags: dict[str, str]) -> list[Object]:
    found = [one for one in shipped("crds/policy.yaml") if one["kind"] == "CustomResourceDefinition"]
    routes = shipped("gateway-api/httproutes.yaml")
    if not MANAGED:
        (old,) = routes
        old["spec"]["versions"] = [
            {**one, "storage": True} for one in old["spec"]["versions"] if one["name"] == "v1beta1"
        ]
        return [*found, old]
    if "ignore-cluster" not in flags and get(flags, f"{CRDS}/httproutes.gateway.networking.k8s.io") is None:
        raise Refused("The Gateway API CRDs must be installed prior to installing Linkerd.")
    return found


def control_plane(flags: dict[str, str], *, upgrade: bool) -> list[Object]:
    there = get(flags, f"{CORE}/linkerd/configmaps/linkerd-config")
    issuer = get(flags, f"{CORE}/linkerd/secrets/linkerd-identity-issuer") or {"data": {}}
    if upgrade and there is None:
        raise Refused('could not fetch configs from kubernetes: configmaps "linkerd-config" not found')
    space = get(flags, f"{CORE}/linkerd")
    if not upgrade and "ignore-cluster" not in flags and space is not None:
        raise Refused(
            "Unable to install the Linkerd control plane. It appears that there is an existing installation"
        )
    if certificate := flags.get("identity-issuer-certificate-file"):
        pair = (Path(certificate), Path(flags["identity-issuer-key-file"]))
        data = {
            name: encoded(file.read_text()) for name, file in zip(("crt.pem", "key.pem"), pair, strict=True)
        }
        anchors = Path(flags["identity-trust-anchors-file"]).read_text()
    else:
        assert there is not None
        data = issuer["data"]
        anchors = yaml.safe_load(there["data"]["values"])["identityTrustAnchorsPEM"]
    return [*shipped("linkerd/namespace.yaml"), *rendered(data, anchors)]


def rendered(issuer: dict[str, str], anchors: str) -> list[Object]:
    """The control plane without its namespace, which Helm does not print."""
    values = {"linkerdVersion": RELEASE, "identityTrustAnchorsPEM": anchors}
    marks = {"linkerd.io/control-plane-ns": "linkerd"}
    return [
        *(obj("v1", "ServiceAccount", name) for name in COMPONENTS),
        {**obj("v1", "ConfigMap", "linkerd-config"), "data": {"values": yaml.safe_dump(values)}},
        {**obj("v1", "ConfigMap", "linkerd-identity-trust-roots"), "data": {"ca-bundle.crt": anchors}},
        {**obj("v1", "Secret", "linkerd-identity-issuer"), "data": issuer},
        *(deployment(name, "linkerd", marks) for name in COMPONENTS),
        *([obj("v1", "ConfigMap", "only-in-this-release")] if not MANAGED else []),
    ]


COMPONENTS = ("linkerd-identity", "linkerd-destination", "linkerd-proxy-injector")


def multicluster(flags: dict[str, str]) -> list[Object]:
    config = f"{CORE}/linkerd/configmaps/linkerd-config"
    if "ignore-cluster" not in flags and get(flags, config) is None:
        raise Refused("you need Linkerd to be installed in order to install multicluster addons")
    extension = rendered_extension(flags.get("set", ""), gateway=flags.get("gateway") != "false")
    return [*shipped(f"{EXTENSION}/namespace.yaml"), *extension]


def rendered_extension(values: str, *, gateway: bool) -> list[Object]:
    """The extension without its namespace."""
    (links,) = shipped("crds/links.yaml")
    if not MANAGED:
        links["spec"]["versions"] = [{**links["spec"]["versions"][0], "storage": True}]
    parts = shipped(f"{EXTENSION}/gateway.yaml") if gateway else []
    core = [one for one in parts if one["kind"] in ("ServiceAccount", "Service", "Deployment")]
    access = shipped(f"{EXTENSION}/remote-access.yaml")
    targets = re.findall(r"link\.ref\.name=(\S+)", values)
    return [links, *access, *core, *(one for target in targets for one in controller(target))]


def controller(target: str) -> list[Object]:
    name = f"controller-{target}" if MANAGED else f"linkerd-service-mirror-{target}"
    return [
        obj("v1", "ServiceAccount", name, EXTENSION),
        deployment(name, EXTENSION, {"mirror.linkerd.io/cluster-name": target}),
    ]


def link(flags: dict[str, str]) -> list[Object]:
    target = flags["cluster-name"]
    secret = get(flags, f"{CORE}/{EXTENSION}/secrets/linkerd-service-mirror-remote-access-default-token")
    if not (secret or {}).get("data", {}).get("token"):
        raise Refused(
            "could not find service account token secret for linkerd-service-mirror-remote-access-default"
        )
    spec: Object = {"targetClusterName": target, "targetClusterDomain": "cluster.local",
                    "targetClusterLinkerdNamespace": "linkerd",
                    "clusterCredentialsSecret": f"cluster-credentials-{target}"}  # fmt: skip
    spec["probeSpec"] = {"path": "", "port": "0", "period": "0s"}
    if flags.get("gateway") != "false":
        service = get(flags, f"{CORE}/{EXTENSION}/services/linkerd-gateway")
        if service is None or not service["status"].get("loadBalancer", {}).get("ingress"):
            raise Refused(f"gateway linkerd-gateway.{EXTENSION} has no ingress addresses")
        spec["gatewayAddress"] = service["status"]["loadBalancer"]["ingress"][0]["ip"]
        spec |= {"gatewayPort": "4143", "gatewayIdentity": "linkerd-gateway",
                 "probeSpec": {"path": "/ready", "port": "4191", "period": "3s"}}  # fmt: skip
        spec["selector"] = selector(flags.get("selector", "mirror.linkerd.io/exported=true"))
    discovery = flags.get("remote-discovery-selector", "mirror.linkerd.io/exported=remote-discovery")
    spec["remoteDiscoverySelector"] = selector(discovery)
    if MANAGED:
        federated = flags.get("federated-service-selector", "mirror.linkerd.io/federated=member")
        spec["federatedServiceSelector"] = selector(federated)
    config = yaml.safe_dump({"clusters": [{"cluster": {"server": flags["api-server-address"]}}]})
    secrets = [
        obj("v1", "Secret", f"cluster-credentials-{target}", space)
        | {"data": {"kubeconfig": encoded(config)}, "type": "mirror.linkerd.io/remote-kubeconfig"}
        for space in (EXTENSION, "linkerd")
    ]
    version = "v1alpha3" if MANAGED else "v1alpha1"
    made = {**obj(f"multicluster.linkerd.io/{version}", "Link", target, EXTENSION), "spec": spec}
    return [*secrets, made, *(controller(target) if not MANAGED else [])]


def check(flags: dict[str, str]) -> list[Object]:
    """A document for the control plane's checks, and one more for those of the extension where that is."""
    answers = []
    for space, category in (("linkerd", "linkerd-existence"), (EXTENSION, EXTENSION)):
        if space == EXTENSION and get(flags, f"{CORE}/{EXTENSION}") is None:
            continue
        listed = (get(flags, f"/apis/apps/v1/namespaces/{space}/deployments") or {}).get("items", [])
        down = [one["metadata"]["name"] for one in listed if not one["status"].get("readyReplicas")]
        result: Object = {"description": f"all Deployments of {space} run", "result": "success"}
        if down or (space == "linkerd" and not listed):
            result |= {"result": "error", "error": f"no ready pods: {', '.join(down) or 'none there'}",
                       "hint": "https://linkerd.io/2/checks/#l5d-existence"}  # fmt: skip
        old = {"description": "cli is up-to-date", "result": "warning", "error": "is running an old version",
               "hint": "https://linkerd.io/2/checks/#l5d-version-cli"}  # fmt: skip
        checks = [result, *([old] if space == "linkerd" else [])]
        is_good = result["result"] == "success"
        answers.append({"success": is_good, "categories": [{"categoryName": category, "checks": checks}]})
    return answers


def obj(version: str, kind: str, name: str, namespace: str = "linkerd") -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def deployment(name: str, namespace: str, marks: dict[str, str]) -> Object:
    labels = {"app": name, **marks}
    pod = {
        "serviceAccountName": name,
        "containers": [{"name": "it", "image": f"cr.l5d.io/linkerd/x:{RELEASE}"}],
    }
    body = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    head = obj("apps/v1", "Deployment", name, namespace)
    return {**head, "metadata": {**head["metadata"], "labels": labels}, "spec": {"replicas": 1, **body}}


def selector(text: str) -> Object:
    return {"matchLabels": dict([text.split("=")])} if text else {}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def main(argv: list[str]) -> int:
    if record := os.environ.get("LINKERD_RECORD"):
        with Path(record).open("a") as file:
            file.write(json.dumps([RELEASE, *argv]) + "\n")
    try:
        command, flags = parse(argv)
        if command == "version":
            sys.stdout.write(f"{RELEASE}\n")
            return 0
        if command == "check":
            answers = check(flags)
            sys.stdout.write("".join(f"{json.dumps(answer, indent=2)}\n" for answer in answers))
            return 0 if all(answer["success"] for answer in answers) else 1
        if command in ("install", "upgrade"):
            is_crds = "crds" in flags
            made = definitions(flags) if is_crds else control_plane(flags, upgrade=command == "upgrade")
        else:
            made = multicluster(flags) if command == "multicluster install" else link(flags)
    except Refused as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    yaml.dump_all(made, sys.stdout, yaml.CSafeDumper)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
