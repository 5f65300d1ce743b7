"""The clients that an AuthorizationPolicy or a ServerAuthorization lets in: identities, networks. Pure.

All references of a policy must hold together. One that does not exist lets nobody in.
"""

from lab.controlplane.identity.names import TRUST_DOMAIN, workload_name
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Clause, Network
from lab.controlplane.model.world import LOCAL
from lab.kube.objects import Object, name, namespace, spec

NOBODY = Clause(identities=("",))
ANY_NETWORK = Clause(networks=(Network("0.0.0.0/0"), Network("::/0")))


def clauses_of(reader: Reader, policy: Object) -> tuple[Clause, ...]:
    """One clause per required authentication."""
    references = spec(policy).get("requiredAuthenticationRefs") or []
    return tuple(_clause(reader, reference, namespace(policy)) for reference in references) or (ANY_NETWORK,)


def authorized(reader: Reader, authorization: Object) -> tuple[Clause, ...]:
    """The clients of a ServerAuthorization: without networks from anywhere, without a way in nobody."""
    client = spec(authorization).get("client") or {}
    networks = _networks(client.get("networks"))
    where = (Clause(networks=networks),) if networks else ()
    if client.get("unauthenticated"):
        return where or (ANY_NETWORK,)
    tls = client.get("meshTLS") or {}
    if tls.get("unauthenticatedTLS"):
        return (Clause(identities=("*",)), *where)
    stated = [str(identity) for identity in tls.get("identities") or []]
    for account in tls.get("serviceAccounts") or []:
        home = str(account.get("namespace") or namespace(authorization))
        stated.append(_account(reader, home, str(account["name"])))
    return (Clause(identities=tuple(stated)) if stated else NOBODY, *where)


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
        return Clause(networks=_networks(spec(found).get("networks")))
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


def _networks(stated: list[Object] | None) -> tuple[Network, ...]:
    return tuple(Network(n["cidr"], tuple(n.get("except") or ())) for n in stated or [])
