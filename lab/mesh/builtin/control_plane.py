"""The objects of an installation that are not fixed YAML: certificates, trust roots, configuration. Pure."""

import base64
from datetime import UTC, datetime, timedelta

import yaml

from lab.controlplane.identity.certificates import (
    Pair,
    check_request,
    key_pem,
    new_key,
    sign,
    signing_request,
)
from lab.controlplane.identity.names import CLUSTER_DOMAIN, LINKERD_NAMESPACE, TRUST_DOMAIN
from lab.kube.objects import Object

ISSUER_SECRET = "linkerd-identity-issuer"
INJECTOR_SECRET = "linkerd-proxy-injector-k8s-tls"
TRUST_ROOTS = "linkerd-identity-trust-roots"
CONFIG = "linkerd-config"
INJECTOR_HOST = "linkerd-proxy-injector.linkerd.svc"
INJECTOR_LIFE = timedelta(days=365)
ISSUER_FIELDS = ("crt.pem", "key.pem")
TLS_FIELDS = ("tls.crt", "tls.key")


def issuer_secret(issuer: Pair) -> Object:
    data = {"crt.pem": encoded(issuer.certificate), "key.pem": encoded(issuer.key)}
    return {**_head("Secret", ISSUER_SECRET), "type": "Opaque", "data": data}


def trust_roots(anchor: Pair) -> Object:
    return {**_head("ConfigMap", TRUST_ROOTS), "data": {"ca-bundle.crt": anchor.certificate.decode()}}


def config(anchor: Pair, version: str) -> Object:
    """What other programs read about the installation, as Linkerd writes it."""
    values = {
        "linkerdVersion": version,
        "clusterDomain": CLUSTER_DOMAIN,
        "identityTrustDomain": TRUST_DOMAIN,
        "identityTrustAnchorsPEM": anchor.certificate.decode(),
        "proxy": {"defaultInboundPolicy": "all-unauthenticated"},
    }
    return {**_head("ConfigMap", CONFIG), "data": {"values": yaml.safe_dump(values)}}


def injector_secret(anchor: Pair) -> Object:
    """The webhook's server certificate, signed by the trust anchor."""
    key = new_key()
    request = check_request(signing_request(key, INJECTOR_HOST), INJECTOR_HOST)
    chain = sign(request, INJECTOR_HOST, anchor, datetime.now(UTC), INJECTOR_LIFE)
    data = {"tls.crt": encoded(chain), "tls.key": encoded(key_pem(key))}
    return {**_head("Secret", INJECTOR_SECRET), "type": "kubernetes.io/tls", "data": data}


def with_bundle(webhook: Object, anchor: Pair) -> Object:
    """The webhook configuration with the authority that its server's certificate chains to."""
    bundle = encoded(anchor.certificate)
    hooks = [
        {**hook, "clientConfig": {**hook["clientConfig"], "caBundle": bundle}} for hook in webhook["webhooks"]
    ]
    return {**webhook, "webhooks": hooks}


def with_arguments(deployment: Object, *arguments: str) -> Object:
    """The Deployment with arguments added to its first container."""
    template = deployment["spec"]["template"]
    first, *rest = template["spec"]["containers"]
    container = {**first, "args": [*first.get("args", ()), *arguments]}
    pod = {**template, "spec": {**template["spec"], "containers": [container, *rest]}}
    return {**deployment, "spec": {**deployment["spec"], "template": pod}}


def encoded(content: bytes | str) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def _head(kind: str, name: str) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": LINKERD_NAMESPACE}}
