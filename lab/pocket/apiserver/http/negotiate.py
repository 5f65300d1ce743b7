"""The Accept header: which shape of JSON (or YAML) the client wants. Pure."""

from dataclasses import dataclass

from lab.pocket.apiserver.errors import not_acceptable

OFFERED = ("application/json", "application/yaml")

_KINDS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True)
class Shape:
    """`as_kind` is Table, PartialObjectMetadata(List), APIGroupDiscoveryList or empty."""

    media: str = "application/json"
    as_kind: str = ""
    group: str = ""
    version: str = ""


PLAIN = Shape()


def shapes(accept: str) -> list[Shape]:
    """All JSON or YAML shapes of an Accept header, most wanted first."""
    found: list[tuple[float, Shape]] = []
    for item in accept.split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        values = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media in ("*/*", "application/*", ""):
            media = "application/json"
        if media not in OFFERED:
            continue
        shape = Shape(media, values.get("as", ""), values.get("g", ""), values.get("v", ""))
        found.append((_quality(values.get("q", "1")), shape))
    return [shape for _, shape in sorted(found, key=lambda pair: -pair[0])]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def choose(accept: str) -> Shape:
    """The shape to answer a resource request in. Raises 406 when there is none we speak."""
    if not accept:
        return PLAIN
    offered = shapes(accept)
    for shape in offered:
        if not shape.as_kind:
            return shape
        known = shape.group == "meta.k8s.io" and shape.version in ("v1", "v1beta1")
        if known and shape.as_kind in _KINDS:
            return shape
    raise not_acceptable(OFFERED)


def require_json(accept: str) -> None:
    """For what is only there as JSON. Raises 406."""
    if accept and not any(shape.media == "application/json" for shape in shapes(accept)):
        raise not_acceptable(("application/json",))
