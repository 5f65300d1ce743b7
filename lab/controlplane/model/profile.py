"""Where the behaviour of Linkerd 2.14 and of the latest release differs for the proxy. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """`keepalive`: HTTP/2 pings notice a silent peer; `federated`, `route_annotations`: features that came
    after 2.14.
    """

    version: str = "latest"
    keepalive: bool = True
    federated: bool = True
    route_annotations: bool = True


LATEST = Profile()
STABLE_2_14 = Profile("2.14", keepalive=False, federated=False, route_annotations=False)


def profile_of(version: str) -> Profile:
    """The profile of a mesh version; anything but 2.14 means latest."""
    return STABLE_2_14 if version.startswith("2.14") else LATEST
