"""What one running server is made of, and what one call asks; handed to every verb.

`Api` is wiring only: no logic lives here. `Call` is a request after routing and authentication.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .resources.model import Resource

if TYPE_CHECKING:
    from .admission.services import Addresses
    from .admission.webhooks import Webhooks
    from .auth.authenticate import Authenticator, User
    from .auth.rbac import Authorizer
    from .auth.tokens import Tokens
    from .openapi.documents import Documents
    from .resources.registry import Registry
    from .storage.store import Store

Object = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """The command line, parsed."""

    name: str
    data: Path
    pki: Path
    listen: tuple[tuple[str, int], ...] = ()
    listen_fds: tuple[int, ...] = ()
    kubelet_socket: Path | None = None
    service_cidr: str = "10.96.0.0/16"
    kubernetes_endpoint: tuple[str, int] | None = None
    cache: Path | None = None
    history: int = 4096


@dataclass
class Api:
    settings: Settings
    store: "Store"
    registry: "Registry"
    authenticator: "Authenticator"
    authorizer: "Authorizer"
    tokens: "Tokens"
    webhooks: "Webhooks"
    documents: "Documents"
    addresses: "Addresses"


@dataclass(frozen=True)
class Call:
    """One authenticated request for a resource."""

    user: "User"
    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    user_agent: str = ""
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)

    @property
    def dry_run(self) -> bool:
        return "dryRun" in self.query


@dataclass(frozen=True)
class Answer:
    """A response body (an object or list, not yet in the client's shape) and its code.

    `raw` is the same as JSON bytes where it was at hand; `items` then makes the list only when asked.
    """

    body: Object
    code: int = 200
    resource: Resource | None = None
    raw: bytes | None = None
    items: Callable[[], list[Object]] | None = None

    def full(self) -> Object:
        return self.body if self.items is None else {**self.body, "items": self.items()}
