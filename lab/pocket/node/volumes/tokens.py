"""Service-account tokens for pods, fetched by TokenRequest and kept until they should be renewed."""

import time
from dataclasses import dataclass, field

from lab.kube.client import Client
from lab.kube.kinds import SERVICE_ACCOUNTS
from lab.kube.objects import Object, name, namespace, parse_time, uid
from lab.pocket.node.volumes.content import TokenWish

RENEW_AFTER = 0.8
"""The share of a token's life after which the node fetches a new one."""


@dataclass
class Tokens:
    """The tokens of one pod."""

    client: Client
    _kept: dict[TokenWish, tuple[str, float]] = field(default_factory=dict)

    async def get(self, pod: Object, wish: TokenWish) -> str:
        """A token that is good for a while yet."""
        token, renew_at = self._kept.get(wish, ("", 0.0))
        if time.time() < renew_at:
            return token
        answer = await self.client.create(SERVICE_ACCOUNTS, _request(pod, wish), namespace(pod), sub="token")
        granted = answer["status"]
        lifetime = parse_time(granted["expirationTimestamp"]).timestamp() - time.time()
        self._kept[wish] = (str(granted["token"]), time.time() + lifetime * RENEW_AFTER)
        return str(granted["token"])

    @property
    def renew_at(self) -> float | None:
        """When the next token falls due."""
        return min((at for _, at in self._kept.values()), default=None)


def _request(pod: Object, wish: TokenWish) -> Object:
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": pod["spec"].get("serviceAccountName") or "default", "namespace": namespace(pod)},
        "spec": {
            "audiences": [wish.audience] if wish.audience else [],
            "expirationSeconds": wish.seconds,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name(pod), "uid": uid(pod)},
        },
    }
