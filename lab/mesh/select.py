"""The mesh that a topology asks for."""

from lab.base.errors import EngineUnavailable
from lab.base.state import LabDir
from lab.mesh.foreign import NoMesh, UsersMesh
from lab.mesh.protocol import Mesh, MeshVersion, Say, silent
from lab.topology.model import Topology


def mesh_of(topology: Topology, lab: LabDir, say: Say = silent) -> Mesh:
    """The mesh of the topology's engine (the embedded one, real Linkerd), or one that is not the lab's.

    `say` hears what it runs.
    """
    if topology.mesh.provider != "lab":
        return NoMesh(lab) if topology.mesh.provider == "none" else UsersMesh(lab)
    if topology.engine == "embedded":
        from lab.mesh.builtin.mesh import BuiltinMesh

        return BuiltinMesh(lab, MeshVersion(topology.mesh.version, emulate=topology.mesh.bugs))
    from lab.mesh.linkerd.mesh import LinkerdMesh

    return LinkerdMesh(lab, topology, say)


async def release_of(topology: Topology, *, is_plan: bool = False) -> str:
    """The release that would be installed now; empty for the embedded mesh, which comes with the lab, and for
    one that is not the lab's.

    Raises EngineUnavailable where no program here installs it; for a plan it is then the one that the lab
    would fetch.
    """
    if topology.engine == "embedded" or topology.mesh.provider != "lab":
        return ""
    from lab.mesh.linkerd import find

    try:
        return str((await find.program(topology.mesh.version)).release)
    except EngineUnavailable:
        if not is_plan:
            raise
        return str(find.pinned(topology.mesh.version).release)
