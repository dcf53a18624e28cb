"""The commands print what they do: running servers, a self-contained report, one line per error."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import warnings
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vendorkit as vk
from vendorkit import cli, installed, local
from vendorkit import demo as demo_module
from vendorkit.errors import SettingsError, UsageError, VendorUnavailable
from vendorkit.vendors.registry import CLIENTS

# A demo with small queries. Other tests run the full ones.
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
RUN = [sys.executable, "-m", "vendorkit"]
# What a browser fetches by itself when it opens a page. A link to click on does not count.
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|input)\b[^>]*?\ssrc\s*=\s*["']?\s*(?:https?:)?//
    |<link\b[^>]*?\shref\s*=\s*["']?\s*(?:https?:)?//
    |<object\b[^>]*?\sdata\s*=\s*["']?\s*(?:https?:)?//
    |url\(\s*["']?\s*(?:https?:)?//
    |@import\s+["']?\s*(?:https?:)?//""",
    re.IGNORECASE | re.VERBOSE,
)


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Undo what the command line sets for its whole process."""
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"


def notebook(path: Path, *sources: str, question: str = "") -> None:
    """Write a notebook with these code cells below its question."""
    cells = [nbformat.v4.new_markdown_cell(f"# A page\n\n**Question:** {question}\n\nMore.")] if question else []
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.mark.parametrize("vendor", VENDORS)
def test_example_of_each_vendor_has_rows(vendors, vendor):
    """The demo's query needs no arguments and returns rows."""
    query = vk.connect(vendor, environment="local").example_query()
    assert next(query.records(limit=1))


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run of `vendorkit demo --save` on three small notebooks, two of which fail, and its working folder."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "notebooks").mkdir()
    table = "import os, pandas as pd\npd.DataFrame({'environment': [os.environ['MEDIPIM_ENVIRONMENT']]})"
    answer = "from IPython.display import Markdown\nMarkdown(f'**{1 + 1} of `<them>`.**')"
    link = "from IPython.display import HTML\nHTML('<a href=\"11_other.ipynb#Where\">that</a>')"
    connect = "import vendorkit as vk\nvk.connect('pledg')\nvk.connect_panel()"
    sources = connect, table, answer, PLOT, link
    notebook(folder / "notebooks" / "10_good.ipynb", *sources, question="how many?")
    notebook(folder / "notebooks" / "20_bad.ipynb", "1 + 1", "1 / 0")
    notebook(folder / "notebooks" / "30_dead.ipynb", "import os\nos._exit(1)")
    # A separate process, because nbclient leaves event loops open in the threads that it runs in.
    command = [sys.executable, "-c", SMALL_DEMO.format(str(folder / "notebooks")), "demo", "--save"]
    environment = {**os.environ, "MEDIPIM_ENVIRONMENT": "production"}  # which the demo sets aside
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    return done, folder


def test_demo_prints_one_line_per_vendor_and_the_path_of_the_report(demo):
    """Each line has rows, columns and seconds; the last one counts the notebooks in the report."""
    lines = demo[0].stdout.splitlines()
    for vendor, line in zip(VENDORS, lines, strict=False):
        assert re.fullmatch(rf"{vendor}: [\d,]+ rows, \d+ columns, \d+\.\d\d s", line)
    assert lines[len(VENDORS) :] == [f"report: {Path('build/report/index.html')} (1 notebooks)"]


def test_demo_writes_a_report_that_loads_nothing_from_elsewhere(demo):
    """The index links one page per notebook, run on mock servers, and no page loads anything from elsewhere."""
    report = demo[1] / "build" / "report"
    pages = {path.name: path.read_text(encoding="utf-8") for path in report.iterdir()}
    assert set(pages) == {"index.html", "10_good.html"}
    assert not {name: found[0] for name, text in pages.items() if (found := LOADS.search(text))}
    assert set(re.findall(r'href="([^"]+)"', pages["index.html"])) == {"10_good.html"}
    assert all(kind.label in pages["index.html"] for kind in CLIENTS.values())
    assert "<h3>How many?</h3><p>2 of &lt;them&gt;." in pages["index.html"]
    assert re.findall(r'href="([^"]*11_other[^"]*)"', pages["10_good.html"]) == ["11_other.html#Where"] * 2
    assert "<td>local</td>" in pages["10_good.html"]
    assert "MEDIPIM_API_KEY_SECRET" in pages["10_good.html"]  # the panel as HTML, because there is no kernel


def test_report_says_what_it_is(demo):
    """The report shows that its data is mock data, the version, the date, and each notebook's plot by vendor."""
    page = (demo[1] / "build" / "report" / "index.html").read_text("utf-8")
    assert "<b>Mock data.</b>" in page
    assert f"vendorkit {version('vendorkit')}, {datetime.now(timezone.utc):%d %B %Y}" in page
    assert re.findall("<h2>([^<]+)</h2>", page) == [CLIENTS["pledg"].label]
    assert re.search(r'<a href="10_good\.html"><img alt="[^"]+" src="data:image/png;base64,[\w+/=]+">', page)


def test_demo_names_the_notebook_that_fails(demo):
    """The command fails and names the notebook and the reason."""
    done, _ = demo
    assert done.returncode == 1
    assert "These notebooks failed: 20_bad.ipynb, 30_dead.ipynb" in done.stderr
    assert "30_dead.ipynb: Kernel died" in done.stderr
    assert "20_bad.ipynb: " in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_demo_saves_notebooks_without_volatile_outputs(demo):
    """Saved outputs have no execution times or widget models. The failed notebook stays as it was."""
    good, bad = (
        nbformat.read(demo[1] / "notebooks" / name, as_version=4) for name in ("10_good.ipynb", "20_bad.ipynb")
    )
    assert set(good.cells[1].outputs[0].data) == {"text/html", "text/plain"}
    assert "widgets" not in good.metadata
    assert "execution" not in good.cells[1].metadata
    assert bad.cells[0].outputs == []


@pytest.fixture
def small(vendors, monkeypatch, tmp_path) -> Path:
    """A demo with one query and a folder of notebooks that is empty at first."""
    for vendor in VENDORS:
        monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "production")  # restored afterwards, because demo sets it
    monkeypatch.setattr(cli, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(demo_module, "CLIENTS", {"medipim": CLIENTS["medipim"]})
    monkeypatch.setattr(CLIENTS["medipim"], "example_query", lambda client: client.brands.query())
    return tmp_path


def test_demo_without_failures_succeeds(small, monkeypatch):
    """The demo uses the mock servers whatever is configured, and exits with 0."""
    notebook(small / "10_good.ipynb")
    monkeypatch.setattr(demo_module, "_execute", lambda *_, **__: demo_module.Entry("10_good", "", "", "", ""))
    result = CliRunner().invoke(cli.main, ["demo", "--output", str(small / "build")])
    assert result.exit_code == 0, result.output
    assert "(1 notebooks)" in result.output


def test_demo_with_nothing_to_run_fails(small):
    """A package without notebooks is broken, so an empty report is a failure."""
    result = CliRunner().invoke(cli.main, ["demo"])
    assert isinstance(result.exception, UsageError)
    assert "There are no notebooks to run" in str(result.exception)
    assert not (small / "build").exists()


@pytest.mark.parametrize(
    "page",
    [
        '<script async src="https://cdn.example/x.js"></script>',
        "<link rel=stylesheet href=//cdn.example/x.css>",
        "<style>a{background:url('http://cdn.example/x.png')}</style>",
        '<style>@import "https://cdn.example/x.css";</style>',
    ],
)
def test_pattern_finds_what_a_page_loads(page):
    """The pattern of the test above matches what it should, so that test can fail."""
    assert LOADS.search(page)
    assert not LOADS.search('<a href="https://vendor.example">to click on</a> <img src="data:image/png;base64,AA//">')


@pytest.fixture
def served(tmp_path):
    """Run `vendorkit serve` as a process; give the output up to its readiness, and the process."""
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
    """The printed addresses, variables and CA work in curl with Basic and Digest. Ctrl-C ends the server."""
    lines, process = served
    base = dict(re.findall(r"# (\w+): (https://127\.0\.0\.1:\d+)", "\n".join(lines)))
    values = dict(shlex.split(line)[0].split("=", 1) for line in lines if not line.startswith("#"))
    authority = re.search(r"all servers: (\S+local-ca\.pem) ", lines[-1])[1]

    def curl(url: str, *options: str) -> str:
        command = ["curl", "--silent", "--show-error", "--fail", "--cacert", authority, *options, url]
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
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors.strip() == "stopped"
    with pytest.raises(subprocess.CalledProcessError):
        curl(f"{base['medipim']}/v4/brands/find?id=9", *basic)


def test_serve_ends_by_itself_and_its_output_is_utf8_in_every_console(tmp_path):
    """It writes nothing else. The encoding of a redirected Windows console would make the file unreadable."""
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    command = [*RUN, "serve", "--seconds", "0"]
    done = subprocess.run(command, check=True, capture_output=True, env=environment, cwd=tmp_path, timeout=60)
    assert done.stderr == b""
    assert done.stdout.decode().count("# ") == 6
    assert "…" in done.stdout.decode()
    assert list(tmp_path.iterdir()) == []


def test_output_of_serve_is_the_settings_file_of_vendorkit(served, tmp_path, capfd):
    """Another process connects with it, doctor reports no failure, and SIGTERM ends the servers and their files."""
    lines, process = served
    (tmp_path / "mock.env").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "mock.env").chmod(0o600)
    ports = dict(re.findall(r"# (\w+): (https://127\.0\.0\.1:\d+)", "\n".join(lines)))
    code = """
import vendorkit as vk
for name in ("medipim", "pledg", "mediagenix"):
    client = vk.connect(name)
    print(name, client.base_url, len(list(client.example_query().records(limit=2))))
print(vk.connect("medipim").brands.query().dask(2).shape[0].compute(scheduler="processes") > 0)
"""
    environment = {**os.environ, "VENDORKIT_ENV_FILE": "mock.env"}

    def run(*command: str) -> str:
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    shown = run(sys.executable, "-c", code).splitlines()
    assert shown == [*(f"{name} {ports[name]} 2" for name in VENDORS), "True"]
    command = [*RUN, "doctor", "--json"]
    found = json.loads(subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False).stdout)
    # the rest depends on the clock
    assert all(one["findings"][0]["fine"] for one in found["vendors"].values())
    addresses = re.search("VENDORKIT_LOCAL_SERVERS='(.+)'", "\n".join(lines))[1]
    assert Path(addresses).exists()
    process.terminate()
    assert process.communicate(timeout=20)[1].strip() == "stopped"
    assert not Path(addresses).parent.exists()


@pytest.mark.parametrize("command", [["serve"], ["demo"]])
def test_typed_error_is_one_line(monkeypatch, capsys, command, tmp_path):
    """The line has cause and remedy without a traceback, and the exit code is 1."""

    def broken(*_, **__):
        what = "The mock servers did not start."
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
    assert err == "vendorkit: The mock servers did not start. Install them.\n"


def test_wrong_command_is_reported_by_name(capsys, monkeypatch):
    """Click reports the name with its own message and exit code."""
    monkeypatch.setattr(sys, "argv", ["vendorkit", "serf"])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 2
    assert "serf" in capsys.readouterr().err


def test_warning_is_one_line(monkeypatch):
    """It names no line of the code."""
    monkeypatch.setattr(sys, "argv", ["vendorkit", "--version"])
    with pytest.raises(SystemExit):
        cli.run()
    shown = warnings.formatwarning("Other users can read .env.", UserWarning, "sources.py", 99, line="code()")
    assert shown == "vendorkit: Other users can read .env.\n"


@pytest.fixture
def started(monkeypatch) -> list[tuple[list[str], dict[str, str] | None]]:
    """The commands that `vendorkit lab` would have started, with their environments."""
    found = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: found.append((command, env)) or 0)
    return found


def root_of(command: list[str]) -> Path:
    """Return the folder that JupyterLab opens."""
    return Path(next(one for one in command if "root_dir" in one).partition("=")[2])


def test_lab_opens_copies_with_the_settings_of_this_folder(started, tmp_path):
    """The kernel has another working folder, so .env is passed by its full path. Options are passed on."""
    (tmp_path / ".env").touch()
    result = CliRunner().invoke(cli.main, ["lab", "--no-browser", "--port", "9999", "--LabApp.x=1"])
    assert result.exit_code == 0, result.output
    ((command, environment),) = started
    assert command[1:3] == ["-m", "jupyterlab"]
    assert command[-4:] == ["--no-browser", "--port", "9999", "--LabApp.x=1"]
    assert root_of(command) == tmp_path / "vendorkit-notebooks"
    assert {path.name for path in root_of(command).iterdir()} == {path.name for path in installed.NOTEBOOKS.iterdir()}
    assert environment["VENDORKIT_ENV_FILE"] == str(tmp_path / ".env")


@pytest.mark.parametrize("name", ["mock.env", "~/mock.env", "{}/mock.env"])
def test_lab_passes_the_named_settings_file_by_its_full_path(started, tmp_path, monkeypatch, name):
    """A name relative to this folder would be another file for the kernels."""
    (tmp_path / "mock.env").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VENDORKIT_ENV_FILE", name.format(tmp_path))
    assert CliRunner().invoke(cli.main, ["lab"]).exit_code == 0
    assert started[0][1]["VENDORKIT_ENV_FILE"] == str(tmp_path / "mock.env")


def test_lab_keeps_what_was_changed_in_the_copies(started, tmp_path):
    """A second start overwrites nothing."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "00_start_here.ipynb").write_text("mine")
    assert CliRunner().invoke(cli.main, ["lab", "--folder", "mine"]).exit_code == 0
    assert root_of(started[0][0]) == tmp_path / "mine"
    assert (tmp_path / "mine" / "00_start_here.ipynb").read_text() == "mine"


def test_lab_in_a_deleted_folder_is_one_line(started, tmp_path, monkeypatch, capsys):
    """As in every folder that cannot be written."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "argv", ["vendorkit", "lab"])
    with pytest.raises(SystemExit):
        cli.run()
    assert "cannot be written" in capsys.readouterr().err


def test_lab_never_opens_the_tracked_notebooks(started, monkeypatch):
    """In their folder, lab opens copies. As an argument, the folder is refused."""
    monkeypatch.chdir(installed.NOTEBOOKS)
    monkeypatch.setattr(cli, "copy_notebooks", lambda folder: (0, 0))
    monkeypatch.setattr(cli, "create_folder", lambda folder: folder)
    assert CliRunner().invoke(cli.main, ["lab"]).exit_code == 0
    assert root_of(started[0][0]) == installed.NOTEBOOKS / "vendorkit-notebooks"
    assert isinstance(CliRunner().invoke(cli.main, ["lab", "--folder", "."]).exception, UsageError)


def test_init_writes_settings_for_this_user_and_copies_the_notebooks(started, tmp_path):
    """Both are in one folder, so that any Jupyter finds the settings. Lab opens these copies."""
    result = CliRunner().invoke(cli.main, ["init"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert "MEDIPIM_API_KEY_ID=\n" in (tmp_path / ".env").read_text("utf-8")
    assert len(list(tmp_path.glob("*.ipynb"))) == len(list(installed.NOTEBOOKS.glob("*.ipynb")))
    assert CliRunner().invoke(cli.main, ["lab"]).exit_code == 0
    assert root_of(started[0][0]) == tmp_path


def test_init_overwrites_nothing(tmp_path):
    """Init keeps the user's files and the target of a link."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".env").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "there" / "00_start_here.ipynb").write_text("mine")
    result = CliRunner().invoke(cli.main, ["init", "there"])
    assert result.exit_code == 0
    assert "already exists, not changed" in result.output
    assert "1 already exist, not changed" in result.output
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "there" / "00_start_here.ipynb").read_text() == "mine"


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="the system has no limit for files")
def test_init_leaves_no_incomplete_file(tmp_path, capsys, monkeypatch):
    """After a full disk or quota, the next run would keep the file as one of the user."""
    import resource

    monkeypatch.setattr(sys, "argv", ["vendorkit", "init"])
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
        with pytest.raises(SystemExit):
            cli.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
    assert "'.env' cannot be written: File too large." in capsys.readouterr().err


def test_init_in_the_checkout_copies_nothing(monkeypatch):
    """The checkout already has the notebooks."""
    monkeypatch.chdir(installed.NOTEBOOKS.parent)
    monkeypatch.setattr(cli, "write_settings", lambda folder: None)
    result = CliRunner().invoke(cli.main, ["init"])
    assert result.exit_code == 0
    assert "vendorkit lab opens copies" in result.output


def test_path_that_the_console_cannot_encode_is_escaped(tmp_path, monkeypatch):
    """The encoding of a redirected Windows console has the letters of one language only."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "argv", ["vendorkit", "init", "Ж"])
    monkeypatch.setattr(cli, "copy_notebooks", lambda folder: (0, 0))
    with pytest.raises(SystemExit) as ended:
        cli.run()
    output.flush()
    assert (ended.value.code, b"settings: \\u0416/.env" in output.buffer.getvalue()) == (0, True)


ARGUMENTS = st.one_of(
    st.sampled_from(["--output", "--save", "--seconds", "--json", "--folder", "--nothing", "-1", "nan", "1e400", "--"]),
    st.sampled_from(["/proc/x", "/dev/null", "/dev/null/x", "", "x" * 5000, "\udcff", "~", "é"]),
    st.text(st.characters(exclude_characters="\0"), max_size=8),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(["init", "demo", "lab", "serve", "doctor", ""]), given_=st.lists(ARGUMENTS, max_size=3))
def test_wrong_arguments_never_end_in_a_traceback(command, given_, monkeypatch, tmp_path_factory):
    """Any arguments give an exit code of 0 to 2. What the commands do is replaced here."""
    monkeypatch.chdir(tmp_path_factory.mktemp("fuzz"))
    for name, value in {"run_demo": [], "checkups": [], "copy_notebooks": (0, 0)}.items():
        monkeypatch.setattr(cli, name, lambda *_, value=value, **__: value)
    monkeypatch.setattr(cli.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(cli.local, "start", lambda: contextlib.nullcontext({}))
    monkeypatch.setattr(cli, "settings_lines", lambda servers: [])
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: 0)
    monkeypatch.setattr(sys, "argv", ["vendorkit", *([command] if command else []), *given_])
    with pytest.raises(SystemExit) as ended, contextlib.redirect_stderr(io.StringIO()) as err:
        cli.run()
    assert ended.value.code in (0, 1, 2)
    assert "Traceback" not in err.getvalue()


@pytest.mark.parametrize("folder", ["/proc/nothing", "/dev/null", "/dev/null/x"])
@pytest.mark.parametrize("command", [["demo", "--output"], ["init"], ["lab", "--folder"]])
def test_folder_that_cannot_be_written_is_named(folder, command, monkeypatch, capsys):
    """The command fails before it starts anything."""
    monkeypatch.setattr(sys, "argv", ["vendorkit", *command, folder])
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: pytest.fail("started"))
    monkeypatch.setattr(cli, "run_demo", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("vendorkit: '" + folder)
    assert "cannot be written" in said


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("command", ["", *cli.main.commands])
def test_help_is_whole_and_shows_examples(command, width, monkeypatch):
    """No line is truncated at any terminal width."""
    monkeypatch.setenv("COLUMNS", str(width))
    shown = CliRunner().invoke(cli.main, [*([command] if command else []), "--help"], terminal_width=width).output
    assert "..." not in re.sub(r"\[[A-Z ]+\]\.\.\.", "", shown)
    assert f"vendorkit {command}" in shown.partition("Examples:" if command else "Start here:")[2]


def test_lab_and_demo_without_their_packages_name_the_command(monkeypatch):
    """The message names the missing package and the command that installs it."""
    monkeypatch.setattr(demo_module, "find_spec", lambda name: None)
    for command in ("lab", "demo"):
        error = CliRunner().invoke(cli.main, [command]).exception
        assert isinstance(error, SettingsError)
        assert 'pip install "vendorkit[all]"' in str(error)
