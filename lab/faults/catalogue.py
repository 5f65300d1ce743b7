"""Every kind of fault: who carries it out. A new kind is a row here.

Its words (what the command line and scenarios must tell) are a row in `lab.topology.fault_words`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.faults import enginemade, impair
from lab.faults.actuator import Actuator
from lab.faults.certificates import CertificateFaults, certificate
from lab.faults.enginemade import EngineMade, Parts
from lab.faults.kubemade import Killed, Scaled
from lab.faults.meshmade import MeshMade, http
from lab.faults.model import Fault, FaultKind
from lab.kube.kinds import CERTIFICATE_FAULTS, HTTP_FAULTS


@dataclass(frozen=True)
class Row:
    """What is known of a kind."""

    actuator: Actuator


ENGINE_PARTS: Mapping[FaultKind, Callable[[Fault], Parts]] = {
    "partition": enginemade.partition,
    "impair": impair.engine_parts,
    "pause": enginemade.pause,
    "node": enginemade.node,
    "dns": enginemade.dns,
    "api": enginemade.api,
}
"""Kinds that the engine makes, and what they are in its words."""
ENGINE = EngineMade(ENGINE_PARTS)
SCALED = Scaled()
HTTP = MeshMade(HTTP_FAULTS, http)
CERTIFIED = CertificateFaults(CERTIFICATE_FAULTS, certificate)
MESH = (HTTP, CERTIFIED)
"""What makes faults by objects that the mesh acts on."""
CATALOGUE: Mapping[FaultKind, Row] = {
    **dict.fromkeys(ENGINE_PARTS, Row(ENGINE)),
    "gateway": Row(SCALED),
    "control-plane": Row(SCALED),
    "scale": Row(SCALED),
    "http": Row(HTTP),
    "certificate": Row(CERTIFIED),
    "clock": Row(CERTIFIED),
    "kill": Row(Killed()),
}
