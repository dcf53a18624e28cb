"""The wheel works like the checkout when it is installed in a new virtual environment and used in an empty folder."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
VENDORS = ("medipim", "pledg", "mediagenix")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the variables of vendorkit and of Python in the environment."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "VENDORKIT_", "MEDIPIM_", "PLEDG_", "MEDIAGENIX_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.run(command, cwd=cwd, env=clean | environ, capture_output=True, text=True, check=False)


def good(*command: str | Path, cwd: Path, **environ: str) -> str:
    """Run a command that must succeed, and return its output."""
    done = run(*command, cwd=cwd, **environ)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the source distribution of a copy of the tracked files, as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = good("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\n")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    code = "import setuptools.build_meta as b; print(b.build_sdist('../dist'))"
    good(sys.executable, "-m", "venv", folder / "build-env", cwd=folder)
    python = folder / "build-env" / "bin" / "python"
    good(python, "-m", "pip", "install", "--quiet", "setuptools>=77", "wheel", cwd=folder)
    (folder / "dist").mkdir()
    good(python, "-c", code, cwd=folder / "source")
    (archive,) = (folder / "dist").glob("*.tar.gz")
    good(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", archive, cwd=folder)
    return next((folder / "dist").glob("*.whl"))


def environment(folder: Path, requirement: str) -> Path:
    """Create a virtual environment with this requirement; return the folder of its commands."""
    good(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    good(folder / "bin" / "python", "-m", "pip", "install", "--quiet", requirement, cwd=folder.parent)
    return folder / "bin"


@pytest.fixture(scope="module")
def whole(wheel, tmp_path_factory) -> Path:
    """The commands of an environment with all extras."""
    return environment(tmp_path_factory.mktemp("whole") / "env", f"{wheel}[all]")


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory) -> Path:
    """The commands of an environment without extras."""
    return environment(tmp_path_factory.mktemp("core") / "env", str(wheel))


def test_wheel_holds_the_notebooks_the_settings_and_the_licence(wheel):
    """Each file once, and no tests."""
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name.removeprefix("vendorkit/notebooks/") for name in names if "/notebooks/" in name) == NOTEBOOKS
    assert "vendorkit/.env.example" in names
    assert "vendorkit/py.typed" in names
    assert [name for name in names if name.endswith("/LICENSE")]
    assert not [name for name in names if name.startswith(("tests", "notebooks"))]


def test_demo_runs_in_an_empty_folder(whole, tmp_path):
    """It runs all notebooks. The report has a page for each, and no link of a page is broken."""
    output = good(whole / "vendorkit", "demo", cwd=tmp_path)
    assert f"({len(NOTEBOOKS)} notebooks)" in output
    report = tmp_path / "build" / "report"
    pages = {path.name: path.read_text("utf-8") for path in report.glob("*.html")}
    assert set(pages) == {"index.html", *(name.replace(".ipynb", ".html") for name in NOTEBOOKS)}
    for name, text in pages.items():
        targets = [one for one in re.findall(r'href="([^"#]+)[#"]', text) if not re.match("https?:|data:|mailto:", one)]
        assert [one for one in targets if not (report / one).exists()] == [], name
    assert pages["index.html"].count("<img ") == len(NOTEBOOKS)


def test_init_and_doctor_in_an_empty_folder(whole, tmp_path):
    """The first writes settings and notebooks; doctor reports that no vendor is configured, and what to do."""
    good(whole / "vendorkit", "init", cwd=tmp_path)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("*.ipynb")) == NOTEBOOKS
    found = json.loads(good(whole / "vendorkit", "doctor", "--json", cwd=tmp_path))
    assert not any(found["vendors"][vendor]["configured"] for vendor in VENDORS)
    assert "vendorkit init" in found["next"]
    assert good(whole / "vendorkit", "doctor", cwd=tmp_path).count("Not configured") == len(VENDORS)


def test_lab_is_served_without_a_browser(whole, tmp_path):
    """It serves copies of the notebooks at the given port; the installed ones are not changed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--no-browser", "--port", str(port), "--IdentityProvider.token=made-up", "--allow-root")
    command = [whole / "vendorkit", "lab", *options]
    url = f"http://127.0.0.1:{port}/api/contents?token=made-up"
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            listed = _answer(url, process)
        finally:
            os.killpg(process.pid, 9)
    assert {one["name"] for one in listed["content"]} == set(NOTEBOOKS)
    assert (tmp_path / "vendorkit-notebooks" / NOTEBOOKS[0]).exists()


def _answer(url: str, process: subprocess.Popen[bytes]) -> dict:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - on loopback
                return json.load(answer)
        except OSError:
            time.sleep(0.3)
    pytest.fail("JupyterLab did not answer")


EXCEL = "from vendorkit.panels.table.files import WRITERS; WRITERS['xlsx']({'a': pd.Series([1])})"
NEEDS = {
    "local": "vk.connect('medipim', environment='local').brands.query().frame()",
    "dask": "client.brands.query().dask()",
    "datasets": "client.brands.query().save('brands')",
    "notebook": EXCEL,
}


@pytest.mark.parametrize("extra", NEEDS)
def test_core_names_the_extra_that_is_missing(core, tmp_path, extra):
    """One typed error with the pip command, before anything is sent."""
    script = f"""
import pandas as pd, vendorkit as vk
settings = {{"MEDIPIM_API_KEY_ID": "made-up-id", "MEDIPIM_API_KEY_SECRET": "made-up-text"}}
settings["MEDIPIM_BASE_URL"] = "https://127.0.0.1:1"
client = vk.connect("medipim", environment="production", settings=settings)
try:
    {NEEDS[extra]}
except vk.errors.SettingsError as error:
    print(error)
"""
    output = good(core / "python", "-c", script, cwd=tmp_path)
    assert re.search(rf"pip install ['\"]vendorkit\[({extra}|all)\]['\"]", output), output


@pytest.mark.parametrize("command", ["demo", "lab", "serve"])
def test_core_names_the_extra_that_a_command_needs(core, tmp_path, command):
    """One line, and an exit code that is not 0."""
    done = run(core / "vendorkit", command, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"pip install ['\"]vendorkit\[\w+\]['\"]\n$", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["init", "doctor"])
def test_core_writes_settings_and_checks_them(core, tmp_path, command):
    """Neither needs an extra."""
    good(core / "vendorkit", command, cwd=tmp_path)
