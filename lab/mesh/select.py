"""The mesh that a topology asks for."""

from lab.base.errors import EngineUnavailable
from lab.base.state import LabDir
from lab.mesh.foreign import NoMesh, UsersMesh
from lab.mesh.protocol import Mesh, MeshVersion
from lab.topology.model import Topology


def mesh_of(topology: Topology, lab: LabDir) -> Mesh:
    """The mesh implementation of the topology's engine. Raises EngineUnavailable for one not built."""
    if topology.mesh.provider != "lab":
        return NoMesh() if topology.mesh.provider == "none" else UsersMesh()
    if topology.engine == "embedded":
        from lab.mesh.builtin.mesh import BuiltinMesh

        return BuiltinMesh(lab, MeshVersion(topology.mesh.version, emulate=topology.mesh.bugs))
    raise EngineUnavailable(f"no mesh for engine {topology.engine} in this version of the lab")
