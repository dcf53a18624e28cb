"""Each supported version of requests treats contexts, redirects and hooks differently."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = [
    "tests/test_tls.py",
    "tests/test_origins.py",
    "tests/auth/test_auth_digest.py",
    "tests/auth/test_auth_basic.py",
]
VERSIONS = re.search(r"^REQUESTS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_tls_and_authentication_hold_with_each_version_of_requests(version):
    """L09: the same tests, run in a process that finds this version first. Promise 7."""
    folder = ROOT / "build" / f"requests-{version}"
    if not folder.exists():
        pytest.skip(f"{folder} is not there; `make faults` installs it")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", "import requests; print(requests.__version__)"]
    assert (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip() == version
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def test_oldest_version_is_the_one_that_is_declared():
    """The floor in pyproject.toml is the first that is tried."""
    declared = re.search(r'"requests>=([0-9.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
    assert VERSIONS[0] == declared
