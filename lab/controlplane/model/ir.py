"""What a proxy must know, as frozen values: the only language between Kubernetes objects and Envoy resources.

model/ writes it, xds/ reads it. It holds no Kubernetes object and no Envoy message, and equal values mean
that nothing has to be sent.
"""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["http", "detect", "opaque"]
MatchKind = Literal["exact", "prefix", "regex"]
INVALID = ""
"""The cluster of a destination that cannot be resolved: its share of requests gets 500."""


@dataclass(frozen=True, order=True)
class PortRef:
    """One port of one Service of the local cluster; with a `pod`, of that one pod of it.

    A pod is known by its host name, or by its address where it has none.
    """

    namespace: str
    service: str
    port: int
    pod: str = ""

    def __str__(self) -> str:
        pod = f"/{self.pod}" if self.pod else ""
        return f"{self.namespace}/{self.service}/{self.port}{pod}"


@dataclass(frozen=True, order=True)
class Endpoint:
    """Where to connect. `identity` "" means plaintext; `authority` names the service behind a gateway."""

    address: str
    port: int
    identity: str = ""
    authority: str = ""


@dataclass(frozen=True)
class Locality:
    """The ready endpoints of one backend and the share it gets while it has any."""

    name: str
    weight: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True)
class Pool:
    """One set of endpoints, which several clusters may use."""

    name: str
    localities: tuple[Locality, ...]


@dataclass(frozen=True)
class Accrual:
    """Circuit breaking by consecutive failures, as Linkerd's balancer annotations ask for it; seconds.

    `jitter` is the share of the smallest penalty that is added at random, at most.
    """

    max_failures: int
    min_penalty: float
    max_penalty: float
    jitter: float


@dataclass(frozen=True)
class Cluster:
    """How to reach a pool. `patient`: slow answers are expected, so only repeated failures count against an
    endpoint.
    """

    name: str
    pool: str
    tcp: bool = False
    gateway: bool = False
    patient: bool = False
    accrual: Accrual | None = None


@dataclass(frozen=True)
class TextMatch:
    """A condition on a named header or query parameter."""

    name: str
    value: str
    kind: MatchKind = "exact"


@dataclass(frozen=True)
class Match:
    """Conditions that must all hold; `path` "/" with kind prefix matches every request."""

    path: str = "/"
    path_kind: MatchKind = "prefix"
    method: str = ""
    headers: tuple[TextMatch, ...] = ()
    query: tuple[TextMatch, ...] = ()


@dataclass(frozen=True)
class HeaderChange:
    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class PathChange:
    """`full` replaces the whole path, otherwise the matched `prefix` is replaced."""

    value: str
    full: bool
    prefix: str = "/"


@dataclass(frozen=True)
class Redirect:
    status: int = 302
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: PathChange | None = None


@dataclass(frozen=True)
class Rewrite:
    host: str = ""
    path: PathChange | None = None


@dataclass(frozen=True)
class Copy:
    """A request mirrored to another cluster, whose answer is thrown away."""

    cluster: str
    numerator: int = 100
    denominator: int = 100


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins may read answers. "*" in a list stands for everything; `max_age` in
    seconds.
    """

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int = 5


@dataclass(frozen=True)
class Filters:
    request: HeaderChange = HeaderChange()
    response: HeaderChange = HeaderChange()
    redirect: Redirect | None = None
    rewrite: Rewrite | None = None
    copies: tuple[Copy, ...] = ()
    cors: Cors | None = None


NO_FILTERS = Filters()


@dataclass(frozen=True)
class Timeouts:
    """Seconds; 0 = none. `request` bounds the whole exchange, `attempt` each try of it, `idle` a silent
    stream.
    """

    request: float = 0
    attempt: float = 0
    idle: float = 0


@dataclass(frozen=True)
class Retry:
    """Answers worth another try; `backoff` is the minimum wait in seconds."""

    attempts: int
    codes: tuple[int, ...] = ()
    grpc: tuple[str, ...] = ()
    backoff: float = 0


@dataclass(frozen=True)
class Session:
    """Requests that carry what the first answer set (a cookie, or a header) go to the same endpoint.

    `lifetime` in seconds; 0: as long as the client keeps it.
    """

    name: str
    header: bool = False
    lifetime: float = 0
    path: str = "/"


@dataclass(frozen=True)
class Destination:
    cluster: str
    weight: int = 1
    filters: Filters = NO_FILTERS


@dataclass(frozen=True)
class Entry:
    """One line of a route table. No destinations and no redirect: every such request gets 500, or 503 where
    calls are `grpc`, whose clients are to see UNAVAILABLE.
    """

    name: str
    match: Match
    destinations: tuple[Destination, ...] = ()
    filters: Filters = NO_FILTERS
    timeouts: Timeouts = Timeouts()
    retry: Retry | None = None
    session: Session | None = None
    grpc: bool = False


@dataclass(frozen=True)
class RouteTable:
    """Entries in order of precedence; a request that matches none gets 404."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class OutboundPort:
    """What happens to connections made to `address`:`number`. `tunnel` names the service behind a
    gateway.
    """

    ref: PortRef
    address: str
    number: int
    protocol: Protocol
    table: str
    tcp_cluster: str
    tunnel: str = ""


@dataclass(frozen=True)
class PoolSource:
    """Which Service ports fill a pool, and their weights."""

    name: str
    backends: tuple[tuple[PortRef, int], ...]


@dataclass(frozen=True)
class Upstream:
    """A route table with the clusters and pools that it and its Service port bring along."""

    table: RouteTable
    clusters: tuple[Cluster, ...]
    pools: tuple[PoolSource, ...]


@dataclass(frozen=True)
class Network:
    cidr: str
    excepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clause:
    """A condition on the client: one of identities ("*" any, "*.x" suffix), or an address in a network."""

    identities: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Allow:
    """Who may: all clauses hold. Non-empty `matches` narrow it to requests that fit one of them."""

    clauses: tuple[Clause, ...]
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Nobody may who is not allowed by one of `allow`; `everyone` lets all in, and `audit` writes down those
    whom only that let in.
    """

    name: str
    everyone: bool = False
    audit: bool = False
    allow: tuple[Allow, ...] = ()


@dataclass(frozen=True)
class InboundRoute:
    """A kind of request to a port that has a policy of its own; `entry` has no destinations but the app."""

    entry: Entry
    policy: Policy


@dataclass(frozen=True)
class InboundPort:
    """One port of the pod; port 0 stands for all the others. With `routes`, in order of precedence, a
    request that fits none gets 404, and `policy` is that of connections.
    """

    port: int
    protocol: Protocol
    policy: Policy
    routes: tuple[InboundRoute, ...] = ()


@dataclass(frozen=True)
class HttpFault:
    """What a proxy does to some of the requests to its pod: an error for `abort_percent` of them (a status of
    gRPC if there is one, else of HTTP), `delay` seconds for `delay_percent`; 0 percent: none."""

    abort_percent: float = 0
    http_status: int = 0
    grpc_status: int = 0
    delay_percent: float = 0
    delay: float = 0


@dataclass(frozen=True)
class Inbound:
    """What a sidecar does with connections to its pod."""

    identity: str
    ports: tuple[InboundPort, ...]
    other: InboundPort
    fault: HttpFault | None = None
    cut: str = ""
    """Connections to the pod are made anew whenever this changes."""


@dataclass(frozen=True)
class Exported:
    """A Service port that the gateway serves to other clusters, under its `authority`."""

    ref: PortRef
    authority: str
    table: RouteTable
    tcp_cluster: str


@dataclass(frozen=True)
class Gateway:
    """What the gateway of a cluster serves, and to whom."""

    identity: str
    policy: Policy
    exported: tuple[Exported, ...] = ()
