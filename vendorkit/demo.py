"""The demo: a query of each mock server, all notebooks executed, and a report of questions and answers."""

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
_NEEDED_MODULES: Final = ("nbformat", "nbclient", "nbconvert", "ipykernel", "matplotlib")
_GENERAL: Final = "First steps, and more than one vendor"
_MARKS: Final = re.compile("[*`]")


@dataclass(frozen=True)
class Entry:
    """
    What the report says of one executed notebook.

    Attributes:
        name: Its file name without the suffix, also that of its page.
        group: The label of the vendor that it is about.
        question, answer: Each in a sentence; "" if it has none.
        picture: Its first plot, a PNG in base64; "" if it has none.
    """

    name: str
    group: str
    question: str
    answer: str
    picture: str


def require_notebook_extra() -> None:
    """Raise `SettingsError` if the packages that execute notebooks are not installed."""
    if missing := [name for name in _NEEDED_MODULES if find_spec(name) is None]:
        what = f"The notebooks need packages that are not installed: {', '.join(missing)}."
        raise SettingsError(what, remedy='Install them with: pip install "vendorkit[all]"')


def run_demo(paths: list[Path], report: Path, *, save: bool) -> list[str]:
    """Query each mock server, execute the notebooks, write the report; return the names of notebooks that failed."""
    rows = "".join(map(_example, CLIENTS))
    with ThreadPoolExecutor(max_workers=2) as pool:  # a kernel each
        found = list(pool.map(lambda path: _execute(path, report, save=save), paths))
    entries = [entry for entry in found if entry is not None]
    labels = [kind.label for kind in CLIENTS.values()]
    sections = "".join(_section(label, [one for one in entries if one.group == label]) for label in [_GENERAL, *labels])
    facts = {"version": version("vendorkit"), "date": f"{datetime.now(timezone.utc):%d %B %Y, %H:%M} UTC"}
    page = Template(_PAGE.read_text("utf-8")).substitute(facts, rows=rows, notebooks=sections, count=len(entries))
    (report / "index.html").write_text(page, encoding="utf-8")
    return [path.name for path, entry in zip(paths, found, strict=True) if entry is None]


def _example(vendor: str) -> str:
    """Run the example query of a vendor and return the report's row of it."""
    client = vk.connect(vendor, environment="local")
    local.shared()  # so that its start does not count
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vk.SchemaDrift)  # the mock data has oddities on purpose
        query = client.example_query()
        frame = query.frame()
    seconds = time.perf_counter() - started
    click.echo(f"{vendor}: {len(frame):,} rows, {frame.shape[1]} columns, {seconds:.2f} s")
    resource = html.escape(query.ask.resource)
    return f"<tr><td>{html.escape(client.label)}<td>{resource}<td>{len(frame):,}<td>{frame.shape[1]}<td>{seconds:.2f}"


def _execute(path: Path, report: Path, *, save: bool) -> Entry | None:
    """Execute one notebook, write its page and return its entry in the report; None if a cell failed."""
    import nbformat  # noqa: PLC0415 - the notebook extra
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellExecutionError  # noqa: PLC0415
    from nbconvert import HTMLExporter  # noqa: PLC0415

    notebook = nbformat.read(path, as_version=4)
    # Saved widget state would hide the HTML of a panel in the page, and may hold what was typed.
    runner = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # else each kernel warns of the transport it was given
    )
    try:
        runner.execute()
    except CellExecutionError as exc:
        click.echo(f"{path.name}: {exc}", err=True)
        return None
    _strip_volatile(notebook)
    if save:
        nbformat.write(notebook, path)
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    body, _ = exporter.from_notebook_node(notebook)
    # The report has pages, not notebooks.
    body = re.sub(r'href="([\w-]+)\.ipynb(?=["#])', r'href="\1.html', body)
    (report / f"{path.stem}.html").write_text(body, encoding="utf-8")
    return _entry(path.stem, notebook)


def _strip_volatile(notebook: Any) -> None:
    """Take out what differs with every run or has no meaning without a kernel: times, widget models, progress bars."""
    view = "application/vnd.jupyter.widget-view+json"
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            # A panel leaves its HTML, a progress bar has none.
            cell.outputs = [out for out in cell.outputs if view not in out.get("data", {}) or out.data.get("text/html")]
            for out in cell.outputs:
                out.get("data", {}).pop(view, None)


def _entry(name: str, notebook: Any) -> Entry:
    """Return what the report says of an executed notebook."""
    question = re.search(r"\*\*Question:\*\* (.+)", notebook.cells[0].source) if notebook.cells else None
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    answer, picture = (next((one[kind] for one in shown if kind in one), "") for kind in ("text/markdown", "image/png"))
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    vendors = [kind.label for vendor, kind in CLIENTS.items() if re.search(rf"connect\w*\(\s*[\"']{vendor}", code)]
    group = vendors[0] if len(vendors) == 1 and not name.startswith("0") else _GENERAL
    return Entry(name, group, question[1][:1].upper() + question[1][1:] if question else "", answer, picture)


def _section(label: str, entries: list[Entry]) -> str:
    articles = []
    for one in entries:
        name, question, answer = (html.escape(_MARKS.sub("", text)) for text in (one.name, one.question, one.answer))
        link, source = f'<a href="{name}.html">', f"data:image/png;base64,{one.picture.replace(chr(10), '')}"
        picture = f'{link}<img alt="The plot of {name}" src="{source}"></a>' if one.picture else ""
        articles.append(f"<article>{picture}<div>{link}{name}</a><h3>{question}</h3><p>{answer}</div></article>")
    return f"<h2>{html.escape(label)}</h2>{''.join(articles)}" if entries else ""
