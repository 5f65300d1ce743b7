"""Services and DNS over real traffic: every kind of Service, asked from inside a pod."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.kubectl.plain import following, kubectl

pytestmark = pytest.mark.netns
SERVER = """
import os, select, socket
port, name = int(os.environ["PORT"]), os.environ["NAME"].encode()
tcp = socket.create_server(("0.0.0.0", port))
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", port))
while True:
    for ready in select.select([tcp, udp], [], [])[0]:
        if ready is tcp:
            peer, _ = tcp.accept()
            peer.sendall(name)
            peer.close()
        else:
            udp.sendto(name, udp.recvfrom(100)[1])
"""
ASK = """
import socket, sys
def tcp(host, port):
    try:
        with socket.create_connection((host, port), timeout=2) as peer:
            return peer.recv(100).decode()
    except OSError as error:
        return type(error).__name__
def udp(host, port):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((host, port))
        try:
            sock.send(b"?")
            return sock.recv(100).decode()
        except OSError as error:
            return type(error).__name__
def resolve(name):
    try:
        return sorted({info[4][0] for info in socket.getaddrinfo(name, None, socket.AF_INET)})
    except socket.gaierror as error:
        return error.args[1]
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s, namespace: plain, labels: {app: pair}}
spec:
  terminationGracePeriodSeconds: 0
  hostname: %(name)s
  subdomain: pair-headless
  containers:
    - name: server
      image: example.com/sh:1
      command: %(command)s
      env: [{name: PORT, value: "%(port)s"}, {name: NAME, value: %(name)s}]
      ports: [{name: web, containerPort: %(port)s}, {name: dgram, containerPort: %(port)s, protocol: UDP}]
      readinessProbe: {tcpSocket: {port: web}, periodSeconds: 1}
---
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: plain}
spec:
  selector: {app: %s}
  ports:
    - {name: web, port: 8000, targetPort: web}
    - {name: dgram, port: 8000, targetPort: dgram, protocol: UDP}
  %s
---
"""
MANY = [f"10.99.0.{i}" for i in range(1, 61)]
HAND_MADE = f"""
apiVersion: v1
kind: Service
metadata: {{name: many, namespace: plain}}
spec: {{clusterIP: None, ports: [{{name: x, port: 1}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: many-1, namespace: plain, labels: {{kubernetes.io/service-name: many}}}}
addressType: IPv4
ports: [{{name: x, port: 1}}]
endpoints: [{{addresses: {json.dumps(MANY)}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: alias, namespace: plain}}
spec: {{type: ExternalName, externalName: pair.plain.svc.cluster.local}}
"""


def pod(name: str, port: int) -> str:
    command = json.dumps([sys.executable, "-u", "-c", SERVER])
    return POD % {"name": name, "port": port, "command": command}


@pytest.fixture(scope="module")
def servers(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Pods s1 and s2, which call different numbers `web`, behind Services of every kind."""
    file = tmp_path_factory.mktemp("services") / "services.yaml"
    text = pod("s1", 7001) + pod("s2", 7002) + SERVICE % ("pair", "pair", "")
    text += pod("asker", 7000).replace("app: pair", "app: asker")
    text += SERVICE % ("pair-headless", "pair", "clusterIP: None")
    text += SERVICE % ("pair-sticky", "pair", "sessionAffinity: ClientIP")
    text += SERVICE % ("pair-node", "pair", "type: NodePort")
    text += SERVICE % ("pair-balancer", "pair", "type: LoadBalancer")
    text += SERVICE % ("pair-external", "pair", "externalIPs: [198.51.100.7]")
    text += SERVICE % ("nobody", "nobody", "externalIPs: [198.51.100.8]")
    file.write_text(text + HAND_MADE)
    kubectl(lab, "apply", "-f", str(file))
    kubectl(lab, "wait", "--for=condition=Ready", "pod/s1", "pod/s2", "pod/asker", "--timeout=20s")
    ready = ("get", "endpointslices", "-o", "jsonpath={.items[*].endpoints[*].conditions.ready}")
    lab.eventually(
        "endpoints", lambda: kubectl(lab, *ready, "-l", "kubernetes.io/service-name=pair").count("true") == 2
    )
    yield lab
    kubectl(lab, "delete", "-f", str(file), "--wait=false")


def say(lab: RunningLab, expression: str, where: str = "asker") -> Any:
    """The value of a Python expression inside a pod."""
    program = f"{ASK}\nimport json, time\nprint(json.dumps({expression}))"
    return json.loads(kubectl(lab, "exec", where, "--", sys.executable, "-c", program))


def answers(lab: RunningLab, host: str, port: int = 8000, how: str = "tcp", where: str = "asker") -> set[str]:
    """Who answers, asked often enough to hear all (by chance not in one of half a million runs)."""
    return set(say(lab, f"[{how}({host!r}, {port}) for _ in range(20)]", where))


def look(lab: RunningLab, service: str, path: str) -> str:
    return kubectl(lab, "get", "service", service, "-o", f"jsonpath={{{path}}}")


def node_address(lab: RunningLab) -> str:
    return kubectl(lab, "get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}")


BOTH = {"s1", "s2"}


@pytest.mark.parametrize("how", ["tcp", "udp"])
def test_a_service_leads_to_the_number_that_each_pod_calls_its_port(servers: RunningLab, how: str) -> None:
    assert answers(servers, "pair", how=how) == BOTH


def test_a_client_of_a_sticky_service_stays_with_one_pod(servers: RunningLab) -> None:
    assert len(answers(servers, "pair-sticky")) == 1


def test_a_node_port_is_open_at_the_nodes_address(servers: RunningLab) -> None:
    port = int(look(servers, "pair-node", ".spec.ports[0].nodePort"))
    assert answers(servers, node_address(servers), port) == BOTH


def test_a_load_balancer_has_the_nodes_address_and_works_there(servers: RunningLab) -> None:
    address = look(servers, "pair-balancer", ".status.loadBalancer.ingress[0].ip")
    assert address == node_address(servers)
    assert answers(servers, address) == BOTH


def test_an_external_address_leads_to_its_service(servers: RunningLab) -> None:
    assert answers(servers, "198.51.100.7") == BOTH


@pytest.mark.parametrize("address", ["nobody", "198.51.100.8"])
@pytest.mark.parametrize("how", ["tcp", "udp"])
def test_a_service_without_endpoints_refuses_at_once(servers: RunningLab, address: str, how: str) -> None:
    assert say(servers, f"{how}({address!r}, 8000)") == "ConnectionRefusedError"


def test_a_pod_reaches_itself_through_its_service(servers: RunningLab) -> None:
    assert answers(servers, "pair", where="s1") == BOTH


def test_a_sender_of_datagrams_is_led_away_from_a_pod_that_ends(servers: RunningLab, tmp_path: Path) -> None:
    """One socket all the time: the kernel remembers its flow, and must forget it."""
    (tmp_path / "extra.yaml").write_text(
        pod("first", 7003).replace("app: pair", "app: moving")
        + pod("second", 7004).replace("app: pair", "app: waiting")
        + SERVICE % ("moving", "moving", "")
    )
    kubectl(servers, "apply", "-f", str(tmp_path / "extra.yaml"))
    kubectl(servers, "wait", "--for=condition=Ready", "pod/first", "pod/second", "--timeout=20s")
    program = (
        f"{ASK}\nimport time\nsock = socket.socket(type=socket.SOCK_DGRAM)\nsock.settimeout(0.2)\n"
        "sock.connect((resolve('moving')[0], 8000))\nwhile True:\n  try:\n    sock.send(b'?')\n"
        "    print(sock.recv(100).decode(), flush=True)\n  except OSError:\n    pass\n  time.sleep(0.05)\n"
    )
    with following(servers, "-n", "plain", "exec", "asker", "--", sys.executable, "-c", program) as sender:
        sender.until("first")
        kubectl(servers, "label", "pod", "second", "app=moving", "--overwrite")
        kubectl(servers, "delete", "pod", "first", "--grace-period=0", "--force")
        sender.until("second")
    kubectl(servers, "delete", "-f", str(tmp_path / "extra.yaml"), "--ignore-not-found", "--wait=false")


# Names


@pytest.mark.parametrize(
    "name", ["pair", "pair.plain", "pair.plain.svc", "pair.plain.svc.cluster.local.", "PAIR.Plain"]
)
def test_a_service_is_found_under_each_of_its_names(servers: RunningLab, name: str) -> None:
    assert say(servers, f"resolve({name!r})") == [look(servers, "pair", ".spec.clusterIP")]


def test_a_headless_service_is_the_addresses_of_its_pods(servers: RunningLab) -> None:
    pods = kubectl(servers, "get", "pods", "-l", "app=pair", "-o", "jsonpath={.items[*].status.podIP}")
    assert say(servers, "resolve('pair-headless')") == sorted(pods.split())


def test_a_pod_with_a_subdomain_has_a_name_both_ways(servers: RunningLab) -> None:
    address = kubectl(servers, "get", "pod", "s1", "-o", "jsonpath={.status.podIP}")
    assert say(servers, "resolve('s1.pair-headless')") == [address]
    names = say(servers, f"socket.gethostbyaddr({address!r})")
    assert "s1.pair-headless.plain.svc.cluster.local" in names
    assert kubectl(servers, "exec", "s1", "--", "hostname", "-f").strip() == (
        "s1.pair-headless.plain.svc.cluster.local"
    )


def test_an_answer_too_long_for_a_datagram_comes_over_tcp(servers: RunningLab) -> None:
    assert set(say(servers, "resolve('many')")) == set(MANY)


def test_an_external_name_leads_on(servers: RunningLab) -> None:
    assert answers(servers, "alias") == BOTH


def test_a_name_outside_is_refused_at_once(servers: RunningLab) -> None:
    began, said, ended = say(servers, "(time.monotonic(), resolve('example.com'), time.monotonic())")
    assert "not known" in said
    assert ended - began < 1
