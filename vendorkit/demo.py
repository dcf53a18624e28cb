"""The demo: queries each mock server, executes all notebooks, and writes a report with their questions and answers."""

from __future__ import annotations

import html
import re
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any, Final

import click

import vendorkit as vk
from vendorkit import local
from vendorkit.errors import SettingsError
from vendorkit.vendors.registry import CLIENTS

CELL_TIMEOUT_S: Final = 120
_PAGE: Final = Path(__file__).with_name("report.html")
NEEDED_MODULES: Final = ("nbformat", "nbclient", "nbconvert", "ipykernel", "matplotlib")
_GENERAL: Final = "First steps, and more than one vendor"


@dataclass(frozen=True)
class Entry:
    """
    The entry of one executed notebook in the report.

    Attributes:
        name: The file name of the notebook and of its page, without the suffix.
        group: The heading it is listed under: the label of its vendor, or `_GENERAL`.
        question, answer: One sentence each; "" if the notebook has none.
        picture: The first plot, a PNG in base64; "" if there is none.
    """

    name: str
    group: str
    question: str
    answer: str
    picture: str


def require_notebook_extra(*modules: str) -> None:
    """Raise `SettingsError` if *modules* are not installed."""
    if missing := [name for name in modules if find_spec(name) is None]:
        what = f"The notebooks need packages that are not installed: {', '.join(missing)}."
        raise SettingsError(what, remedy='Install them with: pip install "vendorkit[all]"')


def run_demo(paths: list[Path], report: Path, *, save: bool) -> list[str]:
    """Query each mock server, execute the notebooks, write the report; return the names of notebooks that failed."""
    rows = "".join(map(_example, CLIENTS))
    with ThreadPoolExecutor(max_workers=2) as pool:  # one kernel per thread
        results = list(pool.map(lambda path: _execute(path, report, save=save), paths))
    entries = [entry for entry in results if entry is not None]
    groups = [_GENERAL, *(client.label for client in CLIENTS.values())]
    sections = "".join(_section(group, [entry for entry in entries if entry.group == group]) for group in groups)
    facts = {"version": version("vendorkit"), "date": f"{datetime.now(timezone.utc):%d %B %Y, %H:%M} UTC"}
    page = Template(_PAGE.read_text("utf-8")).substitute(facts, rows=rows, notebooks=sections, count=len(entries))
    (report / "index.html").write_text(page, encoding="utf-8")
    return [path.name for path, entry in zip(paths, results, strict=True) if entry is None]


def _example(vendor: str) -> str:
    """Run the example query of a vendor and return its table row in the report."""
    client = vk.connect(vendor, environment="local")
    local.shared()  # the measured time must not include the start of the mock servers
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vk.SchemaDrift)  # the mock data deliberately has undeclared fields
        query = client.example_query()
        frame = query.frame()
    seconds = time.perf_counter() - started
    click.echo(f"{vendor}: {len(frame):,} rows, {frame.shape[1]} columns, {seconds:.2f} s")
    resource = html.escape(query.ask.resource)
    return f"<tr><td>{html.escape(client.label)}<td>{resource}<td>{len(frame):,}<td>{frame.shape[1]}<td>{seconds:.2f}"


def _execute(path: Path, report: Path, *, save: bool) -> Entry | None:
    """Execute one notebook, write its page and return its entry in the report, or None if it failed."""
    import nbformat  # noqa: PLC0415 - in the extra "notebook"
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellControlSignal  # noqa: PLC0415
    from nbconvert import HTMLExporter  # noqa: PLC0415

    notebook = nbformat.read(path, as_version=4)
    runner = NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources={"metadata": {"path": str(path.parent)}})
    # Stored widget state would hide a panel's HTML on the page, and may contain text that a user typed.
    runner.store_widget_state = False
    runner.extra_arguments = ["--IPKernelApp.log_level=ERROR"]  # each kernel would warn about its transport
    try:
        runner.execute()
    except (CellControlSignal, RuntimeError) as exc:  # RuntimeError if a kernel dies or does not start
        click.echo(f"{path.name}: {exc}", err=True)
        return None
    _strip_volatile(notebook)
    if save:
        nbformat.write(notebook, path)
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    body, _ = exporter.from_notebook_node(notebook)
    # Links between notebooks become links between pages of the report.
    body = re.sub(r'href="([\w-]+)\.ipynb(?=["#])', r'href="\1.html', body)
    (report / f"{path.stem}.html").write_text(body, encoding="utf-8")
    return _entry(path.stem, notebook)


def _strip_volatile(notebook: Any) -> None:
    """Remove what differs in each run or is useless without a kernel: times, widget models, progress bars."""
    view = "application/vnd.jupyter.widget-view+json"
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            # The output of a panel also has HTML, which is kept. That of a progress bar has none.
            cell.outputs = [out for out in cell.outputs if view not in out.get("data", {}) or out.data.get("text/html")]
            for out in cell.outputs:
                out.get("data", {}).pop(view, None)


def _entry(name: str, notebook: Any) -> Entry:
    question = re.search(r"\*\*Question:\*\* (.+)", notebook.cells[0].source) if notebook.cells else None
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    answer, picture = (next((o[kind] for o in outputs if kind in o), "") for kind in ("text/markdown", "image/png"))
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    labels = [client.label for name, client in CLIENTS.items() if re.search(rf"connect\w*\(\s*[\"']{name}", code)]
    group = labels[0] if len(labels) == 1 and not name.startswith("0") else _GENERAL
    return Entry(name, group, question[1][:1].upper() + question[1][1:] if question else "", answer, picture)


def _section(group: str, entries: list[Entry]) -> str:
    articles = []
    for entry in entries:
        texts = (entry.name, entry.question, entry.answer)
        name, question, answer = (html.escape(re.sub("[*`]", "", text)) for text in texts)
        link, source = f'<a href="{name}.html">', f"data:image/png;base64,{entry.picture.replace(chr(10), '')}"
        picture = f'{link}<img alt="Plot of {name}" src="{source}"></a>' if entry.picture else ""
        articles.append(f"<article>{picture}<div>{link}{name}</a><h3>{question}</h3><p>{answer}</div></article>")
    return f"<h2>{html.escape(group)}</h2>{''.join(articles)}" if entries else ""
