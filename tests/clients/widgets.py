"""An operator as its authors write it with kopf; test_kopf.py runs it with `kopf run`.

A Widget owns a ConfigMap of its size, counts the time that passes, and cleans up before it goes.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any

import kopf
from kubernetes import client, config

GROUP, PLURAL = "clients.example.com", "widgets"


@kopf.on.startup()
def connect(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.level = 20  # events from INFO on
    settings.persistence.finalizer = "clients.example.com/widgets"
    config.load_kube_config(os.environ["KUBECONFIG"])


@kopf.on.create(GROUP, PLURAL)
def make(body: kopf.Body, spec: kopf.Spec, namespace: str, name: str, retry: int, **_: Any) -> dict[str, Any]:
    if retry == 0:
        raise kopf.TemporaryError("not at the first try", delay=0.1)
    child: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"size": str(spec["size"])},
    }
    kopf.adopt(child, owner=body)
    client.CoreV1Api().create_namespaced_config_map(namespace, child)
    kopf.info(body, reason="Made", message=f"made {name}")
    return {"tries": retry + 1}


@kopf.on.update(GROUP, PLURAL, field="spec.size")
def resize(old: int, new: int, namespace: str, name: str, patch: kopf.Patch, **_: Any) -> None:
    client.CoreV1Api().patch_namespaced_config_map(name, namespace, {"data": {"size": str(new)}})
    patch.status["resized"] = f"{old} to {new}"


@kopf.on.delete(GROUP, PLURAL)
def clean(namespace: str, name: str, **_: Any) -> None:
    body = {"metadata": {"name": f"{name}-cleaned"}}
    with suppress(client.exceptions.ConflictException):  # kopf calls again while a daemon still runs
        client.CoreV1Api().create_namespaced_config_map(namespace, body)


@kopf.timer(GROUP, PLURAL, interval=0.5)
def tick(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon(GROUP, PLURAL, cancellation_timeout=1)
async def attend(namespace: str, name: str, stopped: kopf.DaemonStopped, **_: Any) -> None:
    maps, attended = client.CoreV1Api(), f"{name}-attended"
    await asyncio.to_thread(maps.create_namespaced_config_map, namespace, {"metadata": {"name": attended}})
    try:
        await stopped.wait()
    finally:  # kopf cancels what has not stopped by itself
        maps.delete_namespaced_config_map(attended, namespace)
