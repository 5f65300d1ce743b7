"""Which program stands for an image."""

import pytest

from lab.engines.embedded.images import Images, bare, shim
from lab.engines.embedded.spawn import Program
from lab.pocket.node.runtime import UnknownImage


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("multicluster.lab/apps:1.0", "multicluster.lab/apps"),
        ("registry:5000/app", "registry:5000/app"),
        ("registry:5000/app:2@sha256:abc", "registry:5000/app"),
    ],
)
def test_tag_and_digest_do_not_count(image: str, name: str) -> None:
    assert bare(image) == name


def test_a_shipped_image_is_a_function_called_with_the_containers_arguments() -> None:
    program = Images({}).program("multicluster.lab/apps:9", (), ("echo", "--port=1"))
    assert program == Program(entry="lab.apps.main:main", argv=("echo", "--port=1"))


def test_the_topologys_patterns_come_before_the_shipped_images() -> None:
    images = Images({"multicluster.lab/*": ("/bin/own",)})
    assert images.program("multicluster.lab/apps:1", (), ("x",)) == Program(argv=("/bin/own", "x"))


def test_a_command_replaces_the_image() -> None:
    assert Images({}).program("unknown", ("sleep",), ("1",)) == Program(argv=("sleep", "1"))


def test_an_unknown_image_is_refused_with_the_line_to_add() -> None:
    with pytest.raises(UnknownImage, match=r"images: \{\"ghcr.io/x/y:\*\""):
        Images({}).program("ghcr.io/x/y:1", (), ())


@pytest.mark.parametrize(
    "image",
    [
        "registry.k8s.io/gateway-api/conformance/echo-advanced:v0.1.0",
        "registry.k8s.io/gateway-api/echo-advanced:v1.5.1",
        "gcr.io/k8s-staging-gateway-api/echo-advanced:v20240412-v1.0.0-394-g40c666fd",
        "gcr.io/istio-release/app:1.30.3",
    ],
)
def test_the_conformance_suites_echo_has_a_program_under_every_name(image: str) -> None:
    program = Images({}).program(image, (), ("--port=8080",))
    assert program == Program(entry="lab.apps.main:main", argv=("echo-advanced", "--port=8080"))


def test_client_is_the_images_own_where_it_brings_one_along() -> None:
    container = Images({}).program("gcr.io/istio-release/app:1", (), ("--port=8080",))
    command = ("client", "http://echo")
    assert shim(command, container) == Program(
        entry="lab.apps.main:main", argv=("echo-advanced-client", "http://echo")
    )
    assert shim(command, Program(entry="lab.apps.main:main", argv=("front",))) == shim(command)
