"""The image's entry point and the one-shot client."""

import json
import subprocess
import sys

import pytest

from lab.apps import client
from lab.apps.main import PROGRAMS, main


def test_an_unknown_program_is_refused_with_the_list(capsys):
    assert main(["frnt"]) == 2
    assert "'frnt'" in (said := capsys.readouterr().err)
    assert all(name in said for name in PROGRAMS)


def test_the_client_tells_a_refused_connection_as_json_and_fails(capsys):
    assert client.main(["http://127.0.0.1:9/", "--count=2"]) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == 2
    assert "127.0.0.1" in answers[0]["error"]


def test_the_client_refuses_a_scheme_it_does_not_speak(capsys):
    assert client.main(["ftp://x"]) == 2
    assert "'ftp'" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["loadgen.program", "stock", "client", "main"])
def test_programs_that_need_no_grpc_do_not_load_it(module):
    code = f"import sys, lab.apps.{module}; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
