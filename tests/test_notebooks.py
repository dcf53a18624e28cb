"""The notebooks run from top to bottom on the mock servers, and their saved versions can be shared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from vendorkit.demo import CELL_TIMEOUT_S
from vendorkit.installed import NOTEBOOKS
from vendorkit.local.server.address_file import address_file
from vendorkit.settings import LOCAL_VARIABLE

nbformat = pytest.importorskip("nbformat")

TESTS = Path(__file__).resolve().parent
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
MEDIPIMS = {"10", "11", "12", "13", "14", "40"}
EXPECTED = {f"{number:02}" for number in (*range(5), *range(10, 15), *range(20, 25), 30, 31, 40)}
LARGEST_BYTES = 300_000
# A JWT, or 40 characters without a break: what a token, a key or a hash looks like.
SECRET_LOOKING = re.compile(r"eyJ[\w-]{10,}|[\w+-]{40,}")
UID = re.compile(r"\b(?:mer|cmp)_[0-9a-f-]{36}\b")  # Pledg's; they name, and open nothing
_VENDORS = ("MEDIPIM", "PLEDG", "MEDIAGENIX")
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|Users|usr|var|opt)/|[A-Z]:\\\\")

each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _code(path: Path) -> list[Any]:
    return [cell for cell in _read(path).cells if cell.cell_type == "code"]


def _shown(path: Path) -> list[str]:
    """Return all texts of the notebook: its cells and their outputs, without pictures."""
    texts = [cell.source for cell in _read(path).cells]
    for cell in _code(path):
        for output in cell.outputs:
            texts.append(output.get("text", ""))
            texts += [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
    return texts


def test_there_is_a_notebook_for_each_scheme_and_each_vendor():
    """The start page links to each of them."""
    start = " ".join(cell.source for cell in _read(PATHS[0]).cells)
    assert {path.name[:2] for path in PATHS} == EXPECTED
    assert all(f"({path.name})" in start for path in PATHS[1:])


@pytest.fixture(scope="module")
def report(servers, tmp_path_factory) -> dict[str, list[str]]:
    """
    Run all notebooks with nbval, each in a separate kernel; return the failures by notebook.

    Those that control a mock server start their own. All others use those of this run, which saves a start for each.
    """
    folder = tmp_path_factory.mktemp("nbval")
    (folder / "empty.env").touch(mode=0o600)
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")  # the project's are for its own tests
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", *_VENDORS))}
    local = {f"{vendor}_ENVIRONMENT": "local" for vendor in _VENDORS}
    # A progress bar appears if a download is slow, which no saved output can predict.
    own = {**kept, **local, "VENDORKIT_ENV_FILE": str(folder / "empty.env"), "TQDM_DISABLE": "1"}
    shared = {**own, LOCAL_VARIABLE: str(address_file(servers))}
    controlling = [path for path in PATHS if any(re.search(r"\blocal\.", cell.source) for cell in _code(path))]
    others = [path for path in PATHS if path not in controlling]
    with ThreadPoolExecutor() as pool:
        runs = pool.map(_failures, (folder, folder), (controlling, others), (own, shared), (1, 2))
        return {name: problems for run in runs for name, problems in run.items()}


def _failures(folder: Path, paths: list[Path], environ: dict[str, str], at_once: int) -> dict[str, list[str]]:
    results = folder / f"{paths[0].stem}.xml"
    options = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}", "--nbval-sanitize-with"]
    options += [str(TESTS / "nbval.cfg"), "-q", "-p", "no:cacheprovider", "-c", str(folder / "pytest.ini")]
    options += [f"--junitxml={results}", f"--rootdir={NOTEBOOKS}"]  # so that a failed cell's name has its notebook
    command = [sys.executable, "-m", "pytest", "-n", str(at_once), "--dist", "loadscope", *options, *map(str, paths)]
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=False)
    assert results.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    failed: dict[str, list[str]] = {}
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        notebook = Path(case.get("file", "")).name
        problems = [*case.iter("failure"), *case.iter("error")]
        failed.setdefault(notebook, []).extend(f"{case.get('name')}: {problem.text}" for problem in problems)
    return failed


@pytest.mark.timeout(600)  # a kernel each; a minute on an idle machine with two cores
@each_notebook
def test_a_notebook_runs_and_gives_its_saved_output(path, report):
    """Cells tagged nbval-check-output give their saved output again; all others run without an error."""
    assert path.name in report, "nbval did not run it"
    assert not report[path.name], "\n".join(report[path.name])[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("country", ["de", "au"])
@pytest.mark.parametrize("path", [path for path in PATHS if path.name[:2] in MEDIPIMS], ids=lambda path: path.stem)
def test_a_notebook_on_medipim_answers_its_question_in_another_country(path, country, monkeypatch):
    """Other languages and codes; Australia has no national code of the notebook's list, and English only."""
    for name, value in {"MEDIPIM_ENVIRONMENT": "local", "MEDIPIM_COUNTRY": country}.items():
        monkeypatch.setenv(name, value)
    notebook = _read(path)
    nbclient = pytest.importorskip("nbclient")
    nbclient.NotebookClient(notebook, timeout=CELL_TIMEOUT_S).execute(env=dict(os.environ))
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    (sentence,) = [data["text/markdown"] for data in outputs if "text/markdown" in data]
    assert "nan" not in sentence


@each_notebook
def test_a_notebook_was_executed_top_to_bottom(path):
    """Cells are numbered from 1 without a gap, and none has an error or a warning."""
    cells = _code(path)
    outputs = [output for cell in cells for output in cell.outputs]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@each_notebook
def test_a_notebook_reads_as_a_page(path):
    """It begins with a title and a question, has a table and a plot, and ends with what to try next."""
    cells = _read(path).cells
    kinds = {kind for cell in _code(path) for output in cell.outputs for kind in output.get("data", {})}
    assert re.match(r"# .+\n\n\*\*Question:\*\* ", cells[0].source)
    assert {"text/html", "image/png"} <= kinds
    assert "## What to try next" in cells[-1].source


@pytest.mark.parametrize("path", [path for path in PATHS if path.name >= "10"], ids=lambda path: path.stem)
def test_a_question_of_an_analyst_is_answered_in_a_sentence_with_numbers(path):
    """It is computed from the data, is below "The answer", and is compared in each run."""
    cells = _read(path).cells
    (after,) = [at for at, cell in enumerate(cells, 1) if cell.source.endswith("## The answer")]
    (sentence,) = [output["data"]["text/markdown"] for output in cells[after].outputs]
    assert "nbval-check-output" in cells[after].metadata.tags
    assert re.fullmatch(r"\*\*[A-Z\d][^*]*\d[^*]*\.\*\*", sentence)


@each_notebook
def test_a_notebook_has_no_markers_for_tests_in_its_code(path):
    """The markers are tags of cells, which a reader does not see."""
    assert not [cell.source for cell in _code(path) if "NBVAL" in cell.source]


@each_notebook
def test_a_notebook_has_one_cell_of_plain_parameters(path):
    """The cell tagged `parameters` assigns literals and nothing else."""
    (parameters,) = [cell for cell in _code(path) if "parameters" in cell.metadata.get("tags", [])]
    compile(parameters.source, path.name, "exec")
    assert all(re.match(r"[a-z_]+ = [\[\]\w\d\"':, .-]+(  # .*)?$", line) for line in parameters.source.splitlines())


@each_notebook
def test_a_saved_notebook_is_small_and_has_no_widget_state(path):
    """Widget state may contain typed text, and hides the HTML of a panel in exported pages."""
    notebook = _read(path)
    assert path.stat().st_size < LARGEST_BYTES
    assert "widgets" not in notebook.metadata
    assert "widget-view" not in path.read_text(encoding="utf-8")
    assert notebook.metadata.kernelspec.name == "python3"


@each_notebook
def test_a_saved_notebook_shows_no_secret_and_no_path_of_a_machine(path):
    """Neither a cell nor an output has one, because notebooks are shared."""
    for text in _shown(path):
        assert not SECRET_LOOKING.findall(UID.sub("", text))
        assert not MACHINE_PATH.findall(text)
        assert not re.findall(r"127\.0\.0\.1:\d+", text)


def test_the_patterns_match_secrets_and_paths_only():
    """A token, a hash and paths of machines match; a merchant's uid and a URL of the vendor do not."""
    assert SECRET_LOOKING.search("x=" + "eyJ" + "hbGciOiJI" * 2)
    assert SECRET_LOOKING.search("a1" * 20)
    assert MACHINE_PATH.search('File "/home/somebody/notebook.py"')
    assert MACHINE_PATH.search("in /root/made-up/ca.pem")
    assert not SECRET_LOOKING.search(UID.sub("", f"GET /api/merchants/mer_{UUID(int=7)}"))
    assert not MACHINE_PATH.search("GET /api/titles/1 https://example.org/home/page")
