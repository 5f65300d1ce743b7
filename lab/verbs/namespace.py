"""All verbs in one collection: what `inv`, `python3 tasks.py` and `lab` have in common."""

from invoke.collection import Collection

from lab.verbs import evidence, faults, life, links, project, reach, scenarios, tools

namespace = Collection(
    life.up,
    life.down,
    life.plan,
    life.status,
    life.list_,
    life.kubeconfig,
    life.doctor,
    tools.tools,
    life.schema,
    scenarios.run,
    scenarios.matrix,
    scenarios.search,
    evidence.bundle,
    evidence.repro,
    reach.logs,
    reach.exec_,
    reach.capture,
    reach.tui,
    project.bench,
    project.test,
    project.check,
    project.conformance,
    link=Collection(links.add, links.remove, links.list_),
    fault=Collection(
        faults.partition,
        faults.impair,
        faults.join,
        faults.pause,
        faults.node,
        faults.kill,
        faults.scale,
        faults.gateway,
        faults.control_plane,
        faults.api,
        faults.http,
        faults.dns,
        faults.certificate,
        faults.clock,
        faults.list_,
        faults.heal,
    ),
)
