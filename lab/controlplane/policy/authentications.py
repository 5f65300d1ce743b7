"""The clients that an AuthorizationPolicy lets in: MeshTLSAuthentication, NetworkAuthentication,
ServiceAccount. Pure.

All references of a policy must hold together. One that does not exist lets nobody in.
"""

from lab.controlplane.identity.names import TRUST_DOMAIN, workload_name
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Clause, Network
from lab.controlplane.model.world import LOCAL
from lab.kube.objects import Object, name, namespace, spec

NOBODY = Clause(identities=("",))


def clauses_of(reader: Reader, policy: Object) -> tuple[Clause, ...]:
    """One clause per required authentication."""
    references = spec(policy).get("requiredAuthenticationRefs") or []
    return tuple(_clause(reader, reference, namespace(policy)) for reference in references) or (
        _any_network(),
    )


def _clause(reader: Reader, reference: Object, home: str) -> Clause:
    where = str(reference.get("namespace") or home)
    kind, wanted = reference.get("kind"), reference.get("name")
    if kind == "ServiceAccount":
        return Clause(identities=(_account(reader, where, str(wanted)),))
    objects = reader.cell("policy", where) or ()
    found = next((o for o in objects if o["kind"] == kind and name(o) == wanted), None)
    if found is None:
        return NOBODY
    if kind == "MeshTLSAuthentication":
        return Clause(identities=_identities(reader, found) or NOBODY.identities)
    if kind == "NetworkAuthentication":
        networks = spec(found).get("networks") or []
        return Clause(networks=tuple(Network(n["cidr"], tuple(n.get("except") or ())) for n in networks))
    return NOBODY


def _identities(reader: Reader, authentication: Object) -> tuple[str, ...]:
    stated = [str(identity) for identity in spec(authentication).get("identities") or []]
    for reference in spec(authentication).get("identityRefs") or []:
        where = str(reference.get("namespace") or namespace(authentication))
        if reference.get("kind") == "ServiceAccount":
            stated.append(_account(reader, where, str(reference["name"])))
        elif reference.get("kind") == "Namespace":
            stated.append("*" + _account(reader, str(reference["name"]), ""))
    return tuple(stated)


def _account(reader: Reader, where: str, account: str) -> str:
    settings = reader.cell("cluster", LOCAL) or {}
    return workload_name(account, where, settings.get("trust_domain", TRUST_DOMAIN))


def _any_network() -> Clause:
    return Clause(networks=(Network("0.0.0.0/0"), Network("::/0")))
