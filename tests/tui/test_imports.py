"""Everything below the interface works without the screen library."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["lab.ops.status", "lab.ops.fault", "lab.ops.feed", "lab.tui.actions", "lab.tui.map"]
)
def test_it_imports_without_textual(module):
    code = f"import sys, {module}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
