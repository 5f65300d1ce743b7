"""What a person does with kubectl: the real program against the real server."""

import json

import pytest

from .conftest import Http, Server, pod

APP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: red, size: "1"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "lab/echo:1", ports: [{containerPort: 8080}]}]}
"""


@pytest.fixture
def ns(space: str) -> str:
    return space.rpartition("/")[2]


def test_apply_creates_and_a_second_apply_changes_nothing(server: Server, ns: str) -> None:
    first = server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    second = server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    assert (first.count("created"), second.count("unchanged")) == (3, 3)


def test_apply_removes_what_left_the_file(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP.replace(', size: "1"', ""))
    assert server.kubectl("get", "cm", "settings", "-n", ns, "-o", "jsonpath={.data}") == '{"colour":"red"}'


def test_apply_of_an_unknown_field_is_refused(server: Server, ns: str) -> None:
    text = APP.replace("replicas: 2", "replicaz: 2")
    said = server.kubectl("apply", "-n", ns, "-f", "-", text=text, code=1)
    assert 'unknown field "spec.replicaz"' in said


def test_server_side_apply_reports_conflicts_and_forces(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "--server-side", "--field-manager", "one", "-f", "-", text=APP)
    other = APP.replace("red", "blue")
    words = ["apply", "-n", ns, "--server-side", "--field-manager", "two", "-f", "-"]
    said = server.kubectl(*words, text=other, code=1)
    server.kubectl(*words, "--force-conflicts", text=other)
    assert ".data.colour" in said
    assert server.kubectl("get", "cm", "settings", "-n", ns, "-o", "jsonpath={.data.colour}") == "blue"


def test_get_prints_upstreams_columns(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    heads = [server.kubectl("get", kind, "-n", ns).splitlines()[0].split() for kind in ("deploy", "svc")]
    assert heads == [
        ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
        ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"],
    ]


def test_get_all_finds_the_category(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    names = server.kubectl("get", "all", "-n", ns, "-o", "name").split()
    assert names == ["service/web", "deployment.apps/web"]


def test_scale_label_annotate_and_set_image(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    server.kubectl("scale", "-n", ns, "deploy/web", "--replicas", "5")
    server.kubectl("label", "-n", ns, "deploy/web", "tier=front")
    server.kubectl("annotate", "-n", ns, "deploy/web", "note=x")
    server.kubectl("set", "image", "-n", ns, "deploy/web", "main=lab/echo:2")
    found = json.loads(server.kubectl("get", "-n", ns, "deploy/web", "-o", "json"))
    image = found["spec"]["template"]["spec"]["containers"][0]["image"]
    assert (found["spec"]["replicas"], found["metadata"]["labels"], image) == (
        5,
        {"tier": "front"},
        "lab/echo:2",
    )


def test_rollout_restart_stamps_the_template(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    server.kubectl("rollout", "restart", "-n", ns, "deploy/web")
    found = json.loads(server.kubectl("get", "-n", ns, "deploy/web", "-o", "json"))
    assert "kubectl.kubernetes.io/restartedAt" in found["spec"]["template"]["metadata"]["annotations"]


def test_diff_shows_what_apply_would_change(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    said = server.kubectl("diff", "-n", ns, "-f", "-", text=APP.replace("red", "green"), code=1)
    assert "+  colour: green" in said


async def test_describe_shows_a_pod(http: Http, server: Server, space: str, ns: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    assert "lab/echo:1" in server.kubectl("describe", "pod", "p", "-n", ns)


async def test_wait_for_delete_and_for_jsonpath(http: Http, server: Server, space: str, ns: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    server.kubectl("wait", "-n", ns, "pod/p", "--for=jsonpath={.status.phase}=Pending", "--timeout=5s")
    await http.delete(f"{space}/pods/p")
    server.kubectl("wait", "-n", ns, "pod/p", "--for=delete", "--timeout=5s")


def test_explain_reads_the_schemas(server: Server) -> None:
    said = server.kubectl("explain", "deployment.spec.template.spec.containers.ports")
    assert "containerPort\t<integer> -required-" in said


def test_delete_by_file_removes_everything_in_it(server: Server, ns: str) -> None:
    server.kubectl("apply", "-n", ns, "-f", "-", text=APP)
    server.kubectl("delete", "-n", ns, "-f", "-", text=APP)
    assert server.kubectl("get", "deploy,svc,cm", "-n", ns, "-o", "name") == ""


def test_a_missing_object_and_a_missing_kind_read_as_upstream(server: Server, ns: str) -> None:
    gone = server.kubectl("get", "pod", "nope", "-n", ns, code=1)
    kind = server.kubectl("get", "nosuch", code=1)
    assert gone.strip() == 'Error from server (NotFound): pods "nope" not found'
    assert kind.strip() == 'error: the server doesn\'t have a resource type "nosuch"'


def test_api_resources_lists_every_group(server: Server) -> None:
    names = set(server.kubectl("api-resources", "-o", "name").split())
    assert {
        "pods",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "leases.coordination.k8s.io",
    } <= names


def test_version_is_told(server: Server) -> None:
    assert "Server Version: v1.34.0+lab" in server.kubectl("version", code=None)
