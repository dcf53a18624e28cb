"""The commands do what they print: servers that answer, a report that stands alone, one line for an error."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

import vendorkit as vk
from vendorkit import cli, local
from vendorkit.errors import VendorUnavailable
from vendorkit.vendors.registry import CLIENTS

# The demo with small queries: other tests run the whole ones.
SMALL_DEMO = """
from pathlib import Path
from vendorkit import cli
from vendorkit.vendors.registry import CLIENTS
cli.NOTEBOOKS = Path({!r})
CLIENTS["medipim"].example_query = lambda client: client.brands.query()
CLIENTS["mediagenix"].example_query = lambda client: client.brands.query()
cli.run()
"""
VENDORS = ["medipim", "pledg", "mediagenix"]
RUN = [sys.executable, "-c", "from vendorkit.cli import run; run()"]
# What a browser would fetch by itself when it opens a page; a link to click on is none.
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|input)\b[^>]*?\ssrc\s*=\s*["']?\s*(?:https?:)?//
    |<link\b[^>]*?\shref\s*=\s*["']?\s*(?:https?:)?//
    |<object\b[^>]*?\sdata\s*=\s*["']?\s*(?:https?:)?//
    |url\(\s*["']?\s*(?:https?:)?//
    |@import\s+["']?\s*(?:https?:)?//""",
    re.IGNORECASE | re.VERBOSE,
)


def notebook(path: Path, *sources: str, question: str = "") -> None:
    """Write a notebook with these code cells, below its question."""
    cells = [nbformat.v4.new_markdown_cell(f"# A page\n\n**Question:** {question}\n\nMore.")] if question else []
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.mark.parametrize("vendor", VENDORS)
def test_example_of_each_vendor_has_rows(vendors, vendor):
    """What the demo queries; nothing has to be given."""
    query = vk.connect(vendor, environment="local").example_query()
    assert next(query.records(limit=1))


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run of `vendorkit demo --save` on two small notebooks, one of which fails; and where it ran."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "notebooks").mkdir()
    table = "import os, pandas as pd\npd.DataFrame({'environment': [os.environ['MEDIPIM_ENVIRONMENT']]})"
    answer = "from IPython.display import Markdown\nMarkdown(f'**{1 + 1} of `<them>`.**')"
    sources = "import vendorkit as vk\nvk.connect_panel()", table, answer
    notebook(folder / "notebooks" / "10_good.ipynb", *sources, question="how many?")
    notebook(folder / "notebooks" / "20_bad.ipynb", "1 + 1", "1 / 0")
    # A process of its own: nbclient leaves event loops open in the threads that it runs in.
    command = [sys.executable, "-c", SMALL_DEMO.format(str(folder / "notebooks")), "demo", "--save"]
    environment = {**os.environ, "MEDIPIM_ENVIRONMENT": "production"}  # which the demo sets aside
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    return done, folder


def test_demo_prints_one_line_a_vendor_and_the_reports_path(demo):
    """Rows, columns, seconds; and how many notebooks are in the report."""
    lines = demo[0].stdout.splitlines()
    for vendor, line in zip(VENDORS, lines, strict=False):
        assert re.fullmatch(rf"{vendor}: [\d,]+ rows, \d+ columns, \d+\.\d\d s", line)
    assert lines[len(VENDORS) :] == [f"report: {Path('build/report/index.html')} (1 notebooks)"]


def test_demo_writes_a_report_that_stands_alone(demo):
    """A page a notebook, linked from the index, run on the local vendors; no page fetches anything from elsewhere."""
    report = demo[1] / "build" / "report"
    pages = {path.name: path.read_text(encoding="utf-8") for path in report.iterdir()}
    assert set(pages) == {"index.html", "10_good.html"}
    assert not {name: found[0] for name, text in pages.items() if (found := LOADS.search(text))}
    assert set(re.findall(r'href="([^"]+)"', pages["index.html"])) == {"10_good.html"}
    assert all(vendor in pages["index.html"] for vendor in VENDORS)
    assert "</a> how many?<dd>2 of &lt;them&gt;." in pages["index.html"]
    assert "<td>local</td>" in pages["10_good.html"]
    assert "MEDIPIM_API_KEY_SECRET" in pages["10_good.html"]  # the panel as HTML, for there is no kernel


def test_demo_names_the_notebook_that_fails(demo):
    """The command fails, and says of which notebook and why."""
    done, _ = demo
    assert done.returncode == 1
    assert "These notebooks failed: 20_bad.ipynb" in done.stderr
    assert "20_bad.ipynb: " in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_demo_saves_what_will_be_the_same_next_time(demo):
    """Outputs without execution times and widget models; the notebook that failed is left as it was."""
    good, bad = (
        nbformat.read(demo[1] / "notebooks" / name, as_version=4) for name in ("10_good.ipynb", "20_bad.ipynb")
    )
    assert set(good.cells[1].outputs[0].data) == {"text/html", "text/plain"}
    assert "widgets" not in good.metadata
    assert "execution" not in good.cells[1].metadata
    assert bad.cells[0].outputs == []


def test_demo_without_failures_succeeds(vendors, monkeypatch, tmp_path):
    """The environment of the local vendors, whatever is set; the exit code 0."""
    for vendor in VENDORS:
        monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "production")  # put back afterwards; demo sets it
    monkeypatch.setattr(cli, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(cli, "CLIENTS", {"medipim": CLIENTS["medipim"]})
    monkeypatch.setattr(CLIENTS["medipim"], "example_query", lambda client: client.brands.query())
    result = CliRunner().invoke(cli.main, ["demo", "--output", str(tmp_path / "build")])
    assert result.exit_code == 0
    assert "(0 notebooks)" in result.output


@pytest.mark.parametrize(
    "page",
    [
        '<script async src="https://cdn.example/x.js"></script>',
        "<link rel=stylesheet href=//cdn.example/x.css>",
        "<style>a{background:url('http://cdn.example/x.png')}</style>",
        '<style>@import "https://cdn.example/x.css";</style>',
    ],
)
def test_search_for_what_a_page_loads_finds_it(page):
    """The test above could fail."""
    assert LOADS.search(page)
    assert not LOADS.search('<a href="https://vendor.example">to click on</a> <img src="data:image/png;base64,AA//">')


@pytest.fixture
def served(tmp_path):
    """`vendorkit serve` as a process of its own; what it printed until it was ready, and the process."""
    process = subprocess.Popen(
        [*RUN, "serve", "--seconds", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("# certificate authority"):
            break
    yield lines, process
    process.kill()
    process.communicate()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_serve_prints_what_curl_needs(served, tmp_path):
    """Addresses, variables and the certificate authority; Basic and Digest, and not without; Ctrl-C ends it."""
    lines, process = served
    base = dict(re.findall(r"# (\w+): (https://127\.0\.0\.1:\d+)", "\n".join(lines)))
    values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    authority = tmp_path / "build" / "local-ca.pem"
    assert "build/local-ca.pem" in lines[-1]

    def curl(url: str, *options: str) -> str:
        command = ["curl", "--silent", "--show-error", "--fail", "--cacert", str(authority), *options, url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    basic = ("-u", f"{values['MEDIPIM_API_KEY_ID']}:{values['MEDIPIM_API_KEY_SECRET']}")
    digest = ("--digest", "-u", f"{values['MEDIAGENIX_ROBOT_USER']}:{values['MEDIAGENIX_ROBOT_PASSWORD']}")
    assert json.loads(curl(f"{base['medipim']}/v4/brands/find?id=9", *basic))["brand"]["id"] == 9
    assert "titles" in curl(f"{base['mediagenix']}/api", *digest)
    assert "work_areas" in curl(f"{base['sequence']}/api", *digest)
    assert "payment_type" in curl(f"{base['pledg']}/api/merchants/{values['PLEDG_MERCHANT_UID']}")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        curl(f"{base['medipim']}/v4/brands/find?id=9")
    assert "401" in refused.value.stderr
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert told.strip() == "stopped"
    with pytest.raises(subprocess.CalledProcessError):
        curl(f"{base['medipim']}/v4/brands/find?id=9", *basic)


def test_serve_ends_by_itself(tmp_path):
    """After the seconds that were asked for, without a word on stderr."""
    done = subprocess.run(
        [*RUN, "serve", "--seconds", "0"], check=True, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.count("# ") == 5


@pytest.mark.parametrize("command", [["serve"], ["demo"]])
def test_error_of_ours_is_one_line(monkeypatch, capsys, command, tmp_path):
    """Cause and remedy, no traceback, exit code 1."""

    def broken(*_, **__):
        what = "The local vendors did not start."
        raise VendorUnavailable(what, remedy="Install them.")

    monkeypatch.setattr(local, "start", broken)
    monkeypatch.setattr(local, "shared", broken)
    for vendor in VENDORS:
        monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "local")
    monkeypatch.setattr(sys, "argv", ["vendorkit", *command])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "vendorkit: The local vendors did not start. Install them.\n"


def test_wrong_command_is_told_by_name(capsys, monkeypatch):
    """Click's own message, and its own exit code."""
    monkeypatch.setattr(sys, "argv", ["vendorkit", "serf"])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 2
    assert "serf" in capsys.readouterr().err


def test_lab_opens_the_notebooks_with_the_settings_of_this_folder(monkeypatch, tmp_path):
    """The kernel's working folder is another one, so that the path of .env is handed over in full."""
    called = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: called.append((command, env)) or 0)
    (tmp_path / ".env").touch()
    result = CliRunner().invoke(cli.main, ["lab", "--", "--no-browser"])
    assert result.exit_code == 0
    ((command, environment),) = called
    assert command[1:3] == ["-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={cli.NOTEBOOKS}" in command
    assert command[-1] == "--no-browser"
    assert environment["VENDORKIT_ENV_FILE"] == str(tmp_path / ".env")
