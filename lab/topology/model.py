"""The topology file as frozen values: what a user may write, and what it means.

`load` builds these from YAML; `check` looks across them; everything above reads them and nothing
else. The descriptions are part of the product: editors show them through the JSON Schema.
Shorthands ("west <-> east", `export: flat`) are normalised here, so readers see one form.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
)

from lab.topology import grammar
from lab.topology.bugs import BUGS_OF, Bug
from lab.topology.measures import Expectation
from lab.topology.part import Label, Part, Seconds
from lab.topology.scenario import Scenario, Step, Verdict

EngineName = Literal["embedded", "kind", "existing"]
Mode = Literal["gateway", "flat", "federated"]
AppName = Literal["shop", "echo"]
MeshVersion = Literal["latest", "2.14"]
MeshProvider = Literal["lab", "user", "none"]

# The first service of an app is its entry: what `export: flat` (without a service name) exports.
APP_SERVICES: Mapping[AppName, tuple[str, ...]] = {
    "shop": ("front", "catalog", "stock"),
    "echo": ("echo",),
}

VARIABLE = ("mesh", "links", "apps", "manifests", "traffic")
"""The parts of a topology that a variant may replace."""
OF_SCENARIO = ("steps", "expect")
"""And those of its scenario."""

# What editors check while the user types; the parsers in `grammar` decide.
_PercentText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["percent"])]
_BandwidthText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["bandwidth"])]
_FrequencyText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["frequency"])]
_LinkText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["link"])]
_CidrText = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]

Share = Annotated[
    float,
    BeforeValidator(grammar.parse_percent, json_schema_input_type=_PercentText),
    PlainSerializer(grammar.format_percent, when_used="json"),
]
Bandwidth = Annotated[
    int,
    BeforeValidator(grammar.parse_bandwidth, json_schema_input_type=_BandwidthText),
    PlainSerializer(grammar.format_bandwidth, when_used="json"),
]
Frequency = Annotated[
    float,
    BeforeValidator(grammar.parse_frequency, json_schema_input_type=_FrequencyText),
    PlainSerializer(grammar.format_frequency, when_used="json"),
]


def _network(value: object) -> IPv4Network:
    if isinstance(value, IPv4Network):
        return value
    try:
        return IPv4Network(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise ValueError("an IPv4 network like 10.20.0.0/16, without host bits") from error


Cidr = Annotated[
    IPv4Network,
    BeforeValidator(_network, json_schema_input_type=_CidrText),
    PlainSerializer(str, when_used="json"),
]


class Mesh(Part):
    """The service mesh that every cluster gets. `mesh: none` and `mesh: user` name its provider alone."""

    provider: MeshProvider = "lab"
    """lab: `up` installs and links it. user: somebody has installed and linked it in clusters that exist
    already; the lab uses it and leaves it alone. none: there is none, so nothing can be linked."""
    version: MeshVersion = "latest"
    """Behaviour profile on the embedded engine, CLI version wanted on the others."""
    headless: bool = False
    """Give each named pod of a headless service a mirror of its own (gateway mode), instead of mirroring
    the service as an ordinary one."""
    create_namespaces: bool = Field(default=False, alias="create-namespaces")
    """Create a mirrored service's namespace in clusters that lack it, instead of skipping the service."""
    emulate: tuple[Bug, ...] = ()
    """Bugs of Linkerd to reproduce on the embedded engine, beside those that the version has.
    restart-vs-live-gateway: a mirror controller that starts takes the gateway for dead until it has been
    probed. restart-vs-dead-gateway: one that starts while the gateway is dead takes it for alive.
    headless-mirrors-collected: one that starts deletes the mirrors of single pods and makes them anew (2.14
    has it). headless-mirrors-mixed-up: mirrors of single pods are tidied up by the name of their service,
    whatever its namespace. empty-backend-keeps-share: an HTTPRoute goes on sending a backend without
    endpoints its share. federated-ports-frozen: a federated service keeps the ports it began with."""

    @property
    def bugs(self) -> tuple[Bug, ...]:
        """All that are reproduced: those of the version, and those asked for."""
        return tuple(dict.fromkeys((*BUGS_OF.get(self.version, ()), *self.emulate)))


class Defaults(Part):
    """Settings that every cluster inherits unless it says otherwise."""

    network: Label = "default"
    """Clusters on the same network reach each other's pods, so links between them can be flat."""
    nodes: int = Field(default=1, ge=1, le=9)
    """Nodes per cluster. The embedded engine runs one."""


class Cluster(Part):
    """One Kubernetes cluster. `{}` takes every default."""

    network: Label | None = None
    """Clusters on the same network can be linked flat; different networks need gateways."""
    pods: Cidr | None = None
    """Pod addresses. Default: 10.20.0.0/16 for the first cluster, 10.21.0.0/16 for the second, …"""
    services: Cidr | None = None
    """Service addresses. Default: 10.120.0.0/16 for the first cluster, 10.121.0.0/16 for the second, …"""
    nodes: int | None = Field(default=None, ge=1, le=9)
    """Nodes of this cluster. The embedded engine runs one."""
    context: str | None = None
    """Kubeconfig context of this cluster (engine `existing`). Default: the cluster's name."""
    kubeconfig: str | None = None
    """File with that context (engine `existing`), relative to this one. Default: what kubectl would read."""
    api: str | None = Field(default=None, pattern=r"^https://[^\s/]+$")
    """Address at which pods of the other clusters reach this one's API server (engine `existing`), such as
    https://10.0.0.10:6443. Default: the one in the kubeconfig."""


class Kind(Part):
    """How engine `kind` makes its clusters; the other engines leave it alone."""

    kubernetes: str | None = Field(default=None, pattern=r"^1\.\d{1,3}$")
    """Kubernetes version, such as "1.36". Default: the newest the installed kind has a node image for."""
    image: str | None = None
    """Node image of your own, instead of the one that the lab pins for this Kubernetes version."""
    python: str | None = None
    """Image of Python that the demo apps' image is built from, instead of the one that the lab pins."""
    offline: bool = False
    """Use only images that Docker has here: nothing is pulled or built. `lab up --offline` sets it."""
    cache: bool = True
    """Whether nodes ask a cache of registries first, which all labs on this Docker share."""
    subnet: Cidr | None = None
    """Addresses of the network between clusters. Default: 172.28.0.0/16; each running lab needs its own."""
    cpus: float | None = Field(default=None, gt=0)
    """Processors that each node may use at most. Default: all."""
    memory: str | None = Field(default=None, pattern=r"^[1-9]\d*(Mi|Gi)$")
    """Memory that each node may use at most, such as 4Gi. Default: all."""
    kubeadm: tuple[str, ...] = ()
    """Patches of kubeadm's configuration, as YAML text; passed on to kind as they are."""


class Link(Part):
    """`from` mirrors the exported services of `to`; with `both` also the other way round."""

    from_: Label = Field(alias="from")
    """The source cluster: its apps call the services of the target."""
    to: Label
    """The target cluster: its exported services appear in the source."""
    both: bool = False
    """Link the other way round too, with the same settings."""
    modes: tuple[Mode, ...] | None = Field(default=None, min_length=1)
    """What the link can carry. Default: gateway, and on one network also flat and federated."""
    delay: Seconds = 0.0
    """Added one-way delay between the two clusters, such as 20ms. This and the three below hold in both
    directions, unless a link the other way has settings of its own; a delay of 20ms adds 40ms to a call."""
    jitter: Seconds = 0.0
    """How much the delay varies, such as 2ms."""
    loss: Share = 0.0
    """Share of packets lost, such as 0.1%."""
    rate: Bandwidth | None = None
    """Bandwidth limit, such as 100mbit. Default: none."""
    excluded_labels: tuple[str, ...] = Field(default=(), alias="excluded-labels")
    """Labels of exported services that their mirrors do not get: by name, or all with a prefix
    (argocd.argoproj.io/*)."""
    excluded_annotations: tuple[str, ...] = Field(default=(), alias="excluded-annotations")
    """The same for annotations."""


def _link(value: object) -> object:
    if not isinstance(value, str):
        return value
    source, target, both = grammar.parse_link(value)
    return {"from": source, "to": target, "both": both}


def _exports(value: object, info: ValidationInfo) -> object:
    """`flat` and `[flat, federated]` as a mapping from the app's entry service."""
    if isinstance(value, Mapping):
        return {service: _modes(modes) for service, modes in value.items()}
    app = info.data.get("app")
    return {APP_SERVICES[app][0] if app else "": _modes(value)}


def _modes(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _empty_is_default(value: object) -> object:
    return {} if value is None else value


def _mesh(value: object) -> object:
    """`none` and `user` as a mapping; other words are no shorthand."""
    return {"provider": value} if isinstance(value, str) else value


MeshPart = Annotated[Mesh, BeforeValidator(_mesh, json_schema_input_type=Literal["none", "user"] | Mesh)]
Links = tuple[Annotated[Link, BeforeValidator(_link, json_schema_input_type=_LinkText | Link)], ...]
Manifests = tuple[str, ...]


class App(Part):
    """A demo app, deployed to clusters and exported to the clusters linked to them."""

    app: AppName
    """shop: front → catalog → stock over HTTP, gRPC and TCP. echo: one service that says who answered."""
    clusters: tuple[Label, ...] | None = Field(default=None, min_length=1)
    """Where it runs. Default: in every cluster."""
    export: Annotated[
        Mapping[str, tuple[Mode, ...]],
        BeforeValidator(_exports, json_schema_input_type=Mode | list[Mode] | dict[str, Mode | list[Mode]]),
    ] = {}
    """Modes in which linked clusters see it: one mode, a list, or a mapping from service to either.
    Without service names the app's entry service is exported (shop: front, echo: echo)."""
    replicas: int = Field(default=1, ge=0, le=50)
    """Pods of each of the app's services."""
    failover: bool = False
    """Callers of the entry service stay in their cluster and move to another one while it has no
    ready pod (an HTTPRoute over the local service and its mirrors)."""


class Traffic(Part):
    """A load generator in one cluster that keeps calling one address."""

    from_: Label = Field(alias="from")
    """The cluster the calls come from."""
    to: str = Field(pattern=r"^(http|grpc|tcp)://[a-z0-9.-]+(:\d+)?(/\S*)?$")
    """What is called: http://front.shop is the local service, http://front-east.shop the mirror of
    east's, http://front-federated.shop all of them together."""
    rate: Frequency = 20.0
    """Calls per second, sent on time whether or not earlier ones were answered."""
    name: Label | None = None
    """Name of the generator. Default: the host that is called, with dashes."""
    headers: Mapping[str, str] = {}
    """HTTP headers of each call, which routes can match."""

    @property
    def label(self) -> str:
        """The generator's name: unique among the traffic of one cluster (checked)."""
        if self.name:
            return self.name
        host = self.to.split("://")[1].split("/")[0]
        return host.replace(".", "-").replace(":", "-")


class Variant(Part):
    """What is different when the scenario is run another way, and the verdict that is known to come of it.
    A part given here replaces the topology's whole part of that name."""

    verdict: Verdict
    """held or failed: whether the expectations are known to hold this way."""
    mesh: MeshPart | None = None
    """Another mesh: the version without the bug, or with it."""
    links: Links | None = None
    """Other links."""
    apps: tuple[App, ...] | None = None
    """Other apps, or the same ones exported in another way."""
    manifests: Manifests | None = None
    """Other manifests."""
    traffic: tuple[Traffic, ...] | None = None
    """Other traffic."""
    steps: tuple[Step, ...] | None = None
    """Other steps of the scenario: another fault, or the same expectations reached by a work-around."""
    expect: tuple[Expectation, ...] | None = None
    """Other expectations."""


class Topology(Part):
    """A lab: its clusters, how they are linked, and what runs in them."""

    name: Label
    """The lab's name; contexts in the kubeconfig are <lab>-<cluster>."""
    engine: EngineName = "embedded"
    """What clusters are made of. `--engine` overrides it."""
    mesh: MeshPart = Mesh()
    """The service mesh."""
    kind: Kind = Kind()
    """How engine `kind` makes its clusters."""
    defaults: Defaults = Defaults()
    """Settings that clusters inherit."""
    clusters: Mapping[Label, Annotated[Cluster, BeforeValidator(_empty_is_default)]] = Field(min_length=1)
    """The clusters, by name. Their order decides their addresses."""
    links: Links = ()
    """Which cluster sees the services of which: "west <-> east", "west -> east", or a mapping."""
    apps: tuple[App, ...] = ()
    """Demo apps."""
    apps_image: str | None = Field(default=None, alias="apps-image", pattern=r"^\S+$")
    """Image of the demo apps and the load generator in a registry that the nodes can pull from (engine
    `existing`). The other engines have it already."""
    manifests: Manifests = ()
    """Kubernetes YAML, applied as it is to every cluster: files or folders relative to this file, or the YAML
    itself (a block of text, `- |`)."""
    traffic: tuple[Traffic, ...] = ()
    """Load generators."""
    images: Mapping[str, tuple[str, ...]] = {}
    """Embedded engine: the local program (an argument list) that stands for an image; * matches anything."""
    scenario: Scenario = Scenario()
    """What `lab run` does to this lab, and what must hold meanwhile."""
    variants: Mapping[Label, Variant] = {}
    """Ways to run the scenario, such as with a bug and without. The first is taken unless --variant names
    another."""

    def network_of(self, cluster: str) -> str:
        """The network a cluster is on, its own or the inherited one."""
        return self.clusters[cluster].network or self.defaults.network

    def nodes_of(self, cluster: str) -> int:
        """How many nodes a cluster has."""
        return self.clusters[cluster].nodes or self.defaults.nodes

    def clusters_of(self, app: App) -> tuple[str, ...]:
        """Where an app runs."""
        return app.clusters or tuple(self.clusters)

    def variant(self, name: str) -> Self:
        """The same lab with the parts that a variant replaces, as a topology without variants."""
        chosen = self.variants[name]
        parts = {part: value for part in VARIABLE if (value := getattr(chosen, part)) is not None}
        own = {part: value for part in OF_SCENARIO if (value := getattr(chosen, part)) is not None}
        scenario = self.scenario.model_copy(update={"verdict": chosen.verdict, **own})
        return self.model_copy(update={**parts, "scenario": scenario, "variants": {}})

    def on_engine(self, engine: EngineName) -> Self:
        """The same lab on another engine."""
        return self.model_copy(update={"engine": engine})

    def renamed(self, name: str) -> Self:
        """The same lab under another name; ValidationError when it cannot be one."""
        data = self.model_dump(mode="json", by_alias=True) | {"name": name}
        return type(self).model_validate(data)
