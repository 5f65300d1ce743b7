"""Kubernetes objects in, Envoy resources out: each `golden/NAME.in.yaml` has its `NAME.out.yaml`.

After a change that is meant: `REFRESH_GOLDENS=1 pytest tests/mesh/xds/test_golden.py`, then read the
difference.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict

from lab.base.process import run
from lab.controlplane.model.world import World
from lab.controlplane.proxy.envoy import binary
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.resources import SEND_ORDER
from lab.controlplane.xds.snapshot import Snapshot
from lab.controlplane.xds.translate import Proxy, snapshot

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name.removesuffix(".in.yaml") for path in GOLDEN.glob("*.in.yaml"))


def translated(name: str, world_of: Callable[[str], World], settings: Settings) -> Snapshot:
    text = (GOLDEN / f"{name}.in.yaml").read_text()
    proxy = Proxy(**yaml.safe_load(text)["proxy"])
    return snapshot(world_of(text), proxy, settings)


def as_dicts(found: Snapshot) -> dict[str, list[dict[str, Any]]]:
    return {
        kind.rpartition(".")[2]: [
            _plain(MessageToDict(r.body, preserving_proto_field_name=True))
            for _, r in sorted(found.of(kind).items())
        ]
        for kind in SEND_ORDER
    }


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    message.pop("@type")
    plain: dict[str, Any] = json.loads(json.dumps(message))
    return plain


@pytest.mark.parametrize("name", CASES)
def test_the_resources_are_those_of_the_golden_file(name: str, world_of: Callable[[str], World]) -> None:
    out = GOLDEN / f"{name}.out.yaml"
    seen = as_dicts(translated(name, world_of, Settings()))
    if os.environ.get("REFRESH_GOLDENS"):
        out.write_text(yaml.safe_dump(seen, sort_keys=True, width=110))
    assert seen == yaml.safe_load(out.read_text())


@pytest.mark.parametrize("name", CASES)
def test_every_reference_in_a_snapshot_resolves(name: str, world_of: Callable[[str], World]) -> None:
    translated(name, world_of, Settings()).check()


@pytest.mark.parametrize("name", CASES)
async def test_envoy_accepts_the_resources(
    name: str, world_of: Callable[[str], World], authority: Any, tmp_path: Path
) -> None:
    secrets = authority.certify("anybody.shop.serviceaccount.identity.linkerd.cluster.local")
    found = as_dicts(translated(name, world_of, Settings(secrets=secrets)))
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(static_configuration(found)))
    done = await run([str(binary()), "--mode", "validate", "-c", str(config)], timeout=20, check=False)
    assert done.code == 0, done.stderr[-2000:]


def static_configuration(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The snapshot as static resources: what comes by EDS and RDS is put in place."""
    pools = {pool["cluster_name"]: pool for pool in found["ClusterLoadAssignment"]}
    tables = {table["name"]: {**table, "validate_clusters": False} for table in found["RouteConfiguration"]}
    for cluster in found["Cluster"]:
        if source := cluster.pop("eds_cluster_config", None):
            cluster["type"] = "STATIC"
            cluster["load_assignment"] = {**pools[source["service_name"]], "cluster_name": cluster["name"]}
    for listener in found["Listener"]:
        for chain in listener.get("filter_chains", []):
            for part in chain["filters"]:
                if rds := part["typed_config"].pop("rds", None):
                    part["typed_config"]["route_config"] = tables[rds["route_config_name"]]
    resources = {"clusters": found["Cluster"], "listeners": found["Listener"]}
    return {"node": {"id": "x", "cluster": "x"}, "static_resources": resources}
