"""Rules about apps: where they run, what they export, and whether a link carries it.

Part of `check`. The mutual exclusion of gateway and flat is Linkerd's: one label says how a service
is exported, and it has one value. Pure.
"""

from collections.abc import Iterator

from lab.topology.links import directed_links, lead_somewhere
from lab.topology.model import APP_SERVICES, App, Mode, Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed


def app_places(topology: Topology) -> Iterator[Problem]:
    """Apps run in clusters that exist, and once in each."""
    seen: dict[tuple[str, str], int] = {}
    for index, app in enumerate(topology.apps):
        for number, cluster in enumerate(app.clusters or ()):
            if cluster not in topology.clusters:
                hint = did_you_mean(cluster, topology.clusters)
                path: Path = ("apps", index, "clusters", number)
                yield Problem(path, f'no cluster "{cluster}"', listed(topology.clusters), hint)
        for cluster in topology.clusters_of(app):
            first = seen.setdefault((app.app, cluster), index)
            if first != index:
                found = f"{app.app} is already in {cluster} by apps[{first}]"
                yield Problem(("apps", index), found, "each app once per cluster")


def services(topology: Topology) -> Iterator[Problem]:
    """Exports name services of the app, and modes that go together."""
    for index, app in enumerate(topology.apps):
        known = APP_SERVICES[app.app]
        for service, modes in app.export.items():
            path: Path = ("apps", index, "export", service)
            if service not in known:
                hint = did_you_mean(service, known)
                yield Problem(path, f'{app.app} has no service "{service}"', listed(known), hint)
            if "gateway" in modes and "flat" in modes:
                found = f"{service} cannot be exported both by gateway and flat: one label says which"
                yield Problem(path, found, "gateway or flat, each with or without federated")


def exports(topology: Topology) -> Iterator[Problem]:
    """A mode in which a service is exported must be carried by a link into one of its clusters."""
    for index, app in enumerate(topology.apps):
        carried = _carried_into(topology, app)
        for service, modes in app.export.items():
            for mode in dict.fromkeys(modes):
                if mode not in carried:
                    path: Path = ("apps", index, "export", service)
                    where = listed(topology.clusters_of(app))
                    found = f"{service} is exported as {mode}, which no link into {where} carries"
                    yield Problem(path, found, listed(sorted(carried)), "or add the mode to a link")


def _carried_into(topology: Topology, app: App) -> set[Mode]:
    if not lead_somewhere(topology):
        return {"gateway", "flat", "federated"}  # the broken link is reported; guessing adds noise
    places = topology.clusters_of(app)
    return {mode for link in directed_links(topology) if link.target in places for mode in link.modes}
