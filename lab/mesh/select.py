"""The mesh that a topology asks for."""

from lab.base.state import LabDir
from lab.mesh.foreign import NoMesh, UsersMesh
from lab.mesh.protocol import Mesh, MeshVersion, Say, silent
from lab.topology.model import Topology


def mesh_of(topology: Topology, lab: LabDir, say: Say = silent) -> Mesh:
    """The mesh of the topology's engine (the embedded one, real Linkerd), or one that is not the lab's.

    `say` hears what it runs.
    """
    if topology.mesh.provider != "lab":
        return NoMesh() if topology.mesh.provider == "none" else UsersMesh()
    if topology.engine == "embedded":
        from lab.mesh.builtin.mesh import BuiltinMesh

        return BuiltinMesh(lab, MeshVersion(topology.mesh.version, emulate=topology.mesh.bugs))
    from lab.mesh.linkerd.mesh import LinkerdMesh

    return LinkerdMesh(lab, topology, say)
