"""A user at work with kubectl on a real lab: objects in, answers out, a look into the containers."""

import json
import os
import pty
import re
import struct
import subprocess
import termios
import urllib.request
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.lab.conftest import KUBECTL, RunningLab
from tests.lab.kubectl.plain import PLAIN, SHELL, Following, following, in_echo, kubectl, one_pod

pytestmark = pytest.mark.netns


# Objects in and out


def test_applying_the_same_again_changes_nothing(lab: RunningLab, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(PLAIN % SHELL)
    said = kubectl(lab, "apply", "-f", str(tmp_path / "m.yaml"))
    assert "deployment.apps/echo unchanged" in said
    assert "service/echo unchanged" in said


def test_server_side_apply_creates_and_reports_conflicts(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "cm.yaml"
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ssa, namespace: plain}\ndata: {a: '%s'}\n"
    file.write_text(text % 1)
    assert "serverside-applied" in kubectl(lab, "apply", "--server-side", "-f", str(file))
    file.write_text(text % 2)
    refused = kubectl(lab, "apply", "--server-side", "--field-manager=other", "-f", str(file), code=1)
    assert 'conflict with "kubectl"' in refused
    assert ".data.a" in refused


def test_get_prints_wide_yaml_jsonpath_and_custom_columns(lab: RunningLab) -> None:
    pod = one_pod(lab)
    assert "NOMINATED NODE" in kubectl(lab, "get", "pods", "-o", "wide")
    assert "kind: Pod" in kubectl(lab, "get", "pod", pod, "-o", "yaml")
    address = kubectl(lab, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
    columns = kubectl(lab, "get", "pod", pod, "-o", "custom-columns=N:.metadata.name,IP:.status.podIP")
    assert columns.split() == ["N", "IP", pod, address]


def test_get_watch_shows_changes_as_they_happen(lab: RunningLab) -> None:
    with following(lab, "-n", "plain", "get", "configmap", "settings", "--watch", "-o", "name") as watch:
        watch.until("configmap/settings")
        kubectl(lab, "annotate", "configmap", "settings", "touched=yes", "--overwrite")
        watch.until("configmap/settings\n(.*\n)*configmap/settings")


def test_describe_tells_about_pod_deployment_service_and_node(lab: RunningLab) -> None:
    pod = kubectl(lab, "describe", "pod", one_pod(lab))
    assert "Successfully assigned" in pod
    assert "http-get http://:http/" in pod
    assert "NewReplicaSetAvailable" in kubectl(lab, "describe", "deployment", "echo")
    assert re.search(r"Endpoints: +\d+\.\d+\.\d+\.\d+:8080", kubectl(lab, "describe", "service", "echo"))
    assert "KubeletReady" in kubectl(lab, "describe", "node")


@pytest.mark.parametrize(
    "words",
    [
        ("create", "deployment", "made", "--image=multicluster.lab/apps", "--", "echo"),
        ("create", "configmap", "made", "--from-literal=a=b"),
        ("create", "secret", "generic", "made", "--from-literal=a=b"),
        ("create", "service", "clusterip", "made", "--tcp=80:8080"),
        ("create", "role", "made", "--verb=get", "--resource=pods"),
        ("create", "serviceaccount", "made"),
    ],
    ids=lambda words: words[1],
)
def test_create_sends_protobuf_and_the_server_reads_it(lab: RunningLab, words: tuple[str, ...]) -> None:
    assert "created" in kubectl(lab, *words)
    assert "deleted" in kubectl(lab, "delete", words[1], "made")


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"metadata":{"labels":{"by":"strategic"}}}'),
        ("merge", '{"metadata":{"labels":{"by":"merge"}}}'),
        ("json", '[{"op":"add","path":"/metadata/labels","value":{"by":"json"}}]'),
    ],
)
def test_patch_of_each_type_changes_the_object(lab: RunningLab, kind: str, patch: str) -> None:
    kubectl(lab, "patch", "configmap", "settings", f"--type={kind}", "-p", patch)
    assert kubectl(lab, "get", "configmap", "-l", f"by={kind}", "-o", "name") == "configmap/settings\n"


def test_label_refuses_to_overwrite_unless_told(lab: RunningLab) -> None:
    kubectl(lab, "label", "secret", "keys", "tier=back")
    assert "--overwrite is false" in kubectl(lab, "label", "secret", "keys", "tier=front", code=1)
    kubectl(lab, "label", "secret", "keys", "tier=front", "--overwrite")
    assert kubectl(lab, "get", "secret", "-l", "tier=front", "-o", "name") == "secret/keys\n"


def test_explain_and_api_resources_know_the_kinds(lab: RunningLab) -> None:
    assert "progressDeadlineSeconds\t<integer>" in kubectl(lab, "explain", "deployment.spec")
    names = kubectl(lab, "api-resources", "-o", "name").split()
    assert {"pods", "deployments.apps", "httproutes.gateway.networking.k8s.io"} <= set(names)


# Who may do what


def test_can_i_answers_for_oneself_and_for_another(lab: RunningLab) -> None:
    account = "--as=system:serviceaccount:plain:default"
    assert kubectl(lab, "auth", "can-i", "delete", "pods") == "yes\n"
    assert kubectl(lab, "auth", "can-i", "delete", "pods", account, code=1).startswith("no")
    refused = kubectl(lab, "get", "pods", account, code=1)
    assert 'User "system:serviceaccount:plain:default" cannot list resource "pods"' in refused


def test_a_created_token_is_who_it_was_made_for(lab: RunningLab) -> None:
    token = kubectl(lab, "create", "token", "default", "--duration=10m").strip()
    bare = ("--kubeconfig=/dev/null", f"--server={_server(lab)}", "--insecure-skip-tls-verify")
    done = subprocess.run(
        [str(KUBECTL), *bare, f"--token={token}", "auth", "whoami"],
        text=True,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert "system:serviceaccount:plain:default" in done.stdout, done.stderr


def _server(lab: RunningLab) -> str:
    view = json.loads(kubectl(lab, "config", "view", "--minify", "-o", "json"))
    return str(view["clusters"][0]["cluster"]["server"])


# Looking into pods


def test_logs_follow_and_tail(lab: RunningLab) -> None:
    tail = kubectl(lab, "logs", "deploy/echo", "-c", "side", "--tail=2").splitlines()
    last = int(tail[-1].split()[1])
    assert tail == [f"line {last - 1}", f"line {last}"]
    with following(lab, "-n", "plain", "logs", "-f", "deploy/echo", "-c", "side", "--tail=1") as logs:
        logs.until(r"(line \d+\n){3}")


def test_attach_shows_output_from_now_on(lab: RunningLab) -> None:
    with following(lab, "-n", "plain", "attach", "deploy/echo", "-c", "side") as attached:
        assert "line 1\n" not in attached.until(r"line \d+\nline \d+\n")


def test_exec_hands_over_exit_code_and_stdin(lab: RunningLab) -> None:
    kubectl(lab, "exec", "deploy/echo", "-c", "side", "--", "sh", "-c", "exit 7", code=7)
    given, taken = os.pipe()
    os.write(taken, b"over the wire\n")
    os.close(taken)
    words = ("-n", "plain", "exec", "-i", "deploy/echo", "-c", "side", "--", "sed", "s/over/under/")
    with following(lab, *words, stdin=given) as sed:
        os.close(given)
        sed.until("under the wire")
        assert sed.process.wait(10) == 0


def test_exec_gives_a_terminal_of_the_callers_size(lab: RunningLab) -> None:
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    argv = [str(KUBECTL), f"--kubeconfig={lab.dir.kubeconfig}", "-n", "plain", "exec", "-it", "deploy/echo"]
    process = subprocess.Popen(
        [*argv, f"--context={lab.name}-one", "-c", "side", "--", "sh"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    try:
        terminal = Following(process, ours)
        # The size follows the shell: kubectl sends it once the streams stand.
        os.write(ours, b'tty; until [ "$(stty size)" = "33 101" ]; do sleep 0.05; done; echo siz""ed\n')
        terminal.until(r"/dev/pts/\d+\r\n.*\bsized\r\n")
        os.write(ours, b"exit 3\n")
        assert process.wait(10) == 3
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_cp_goes_both_ways(lab: RunningLab, tmp_path: Path) -> None:
    pod = one_pod(lab)
    (tmp_path / "there").write_text("content")
    kubectl(lab, "cp", str(tmp_path / "there"), f"{pod}:/shared/copied", "-c", "side")
    kubectl(lab, "cp", f"{pod}:/shared/copied", str(tmp_path / "back"), "-c", "side")
    assert (tmp_path / "back").read_text() == "content"


@pytest.mark.parametrize(("target", "port"), [("deploy/echo", "8080"), ("service/echo", "80")])
def test_a_request_goes_through_port_forward(lab: RunningLab, target: str, port: str) -> None:
    with following(lab, "-n", "plain", "port-forward", target, f":{port}") as forward:
        found = re.search(r"127\.0\.0\.1:(\d+) ->", forward.until(r"127\.0\.0\.1:\d+ -> 8080"))
        assert found
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/through", timeout=10) as answer:
            assert json.load(answer)["path"] == "/through"


def test_the_proxy_subresource_reaches_pods_and_services(lab: RunningLab) -> None:
    base = "/api/v1/namespaces/plain"
    for target in (f"pods/{one_pod(lab)}:8080", "services/echo:http"):
        assert json.loads(kubectl(lab, "get", "--raw", f"{base}/{target}/proxy/a"))["path"] == "/a"


# What a container finds


def test_environment_comes_from_fields_configmaps_and_secrets(lab: RunningLab) -> None:
    address = kubectl(lab, "get", "pods", "-l", "app=echo", "-o", "jsonpath={.items[0].status.podIP}")
    seen = in_echo(lab, "echo $POD_IP $NODE $PASSWORD $greeting")
    assert seen.split() == [address, "one-node", "s3cret", "hello"]


def test_volumes_show_init_files_secrets_and_a_bound_token(lab: RunningLab) -> None:
    files = in_echo(lab, "cat /shared/file /etc/keys/password; echo; cat /etc/token/token", "side")
    made, password, token = files.splitlines()
    assert (made, password, token.count(".")) == ("made by init", "s3cret", 2)


def test_a_changed_configmap_arrives_in_the_volume(lab: RunningLab) -> None:
    kubectl(lab, "patch", "configmap", "settings", "-p", '{"data":{"greeting":"changed"}}')
    lab.eventually("new content", lambda: in_echo(lab, "cat /etc/settings/greeting", "side") == "changed")
    kubectl(lab, "patch", "configmap", "settings", "-p", '{"data":{"greeting":"hello"}}')


def test_containers_of_a_pod_share_localhost(lab: RunningLab) -> None:
    said = in_echo(lab, "client http://localhost:8080/near", "side")
    assert json.loads(said)["body"]["path"] == "/near"


def test_services_are_found_by_short_headless_and_foreign_names(lab: RunningLab) -> None:
    cluster_ip = kubectl(lab, "get", "service", "echo", "-o", "jsonpath={.spec.clusterIP}")
    pod_ip = kubectl(lab, "get", "pod", one_pod(lab), "-o", "jsonpath={.status.podIP}")
    look = "import socket, sys; print(*[socket.gethostbyname(n) for n in sys.argv[1:]])"
    names = "echo headless.plain.svc.cluster.local kubernetes.default"
    found = in_echo(lab, f"python3 -c '{look}' {names}").split()
    assert found[:2] == [cluster_ip, pod_ip]
    assert found[2].endswith(".0.1")


def test_a_meshed_pod_has_its_sidecar_and_reaches_services(lab: RunningLab) -> None:
    lab.kubectl("one", "wait", "-n", "meshed", "--for=condition=Ready", "pod/caller", "--timeout=20s")
    assert "2/2" in lab.kubectl("one", "get", "-n", "meshed", "pod", "caller", "--no-headers")
    words = ("exec", "-n", "meshed", "caller", "-c", "caller", "--", "client", "http://echo.plain/far")
    assert json.loads(lab.kubectl("one", *words))["body"]["path"] == "/far"


def test_a_meshed_pod_reaches_itself_through_its_own_service_under_mtls(lab: RunningLab) -> None:
    lab.kubectl("one", "wait", "-n", "meshed", "--for=condition=Ready", "pod/caller", "--timeout=20s")
    words = ("exec", "-n", "meshed", "caller", "-c", "caller", "--", "client", "http://caller.meshed")
    said = json.loads(lab.kubectl("one", *words))
    assert (said["status"], said["body"]["pod"]) == (200, "caller")
    assert said["body"]["client"].startswith("default.meshed.serviceaccount.identity.")
