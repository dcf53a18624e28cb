"""The command line: `vendorkit demo | lab | serve | doctor`."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

import vendorkit as vk
from vendorkit import local
from vendorkit.errors import VendorkitError
from vendorkit.settings import ENV_FILE_VARIABLE

NOTEBOOKS: Final = Path(__file__).resolve().parents[1] / "notebooks"
CELL_TIMEOUT_S: Final = 120


@click.group()
@click.version_option(package_name="vendorkit")
def main() -> None:
    """From a vendor's credentials to a typed DataFrame in one line."""


@main.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("build"), help="Where the report goes.")
@click.option("--save", is_flag=True, help="Also save the executed notebooks in place.")
def demo(output: Path, *, save: bool) -> None:
    """Pull from each local vendor, execute the notebooks, write an HTML report. Needs no credentials."""
    os.environ.update({f"{vendor.upper()}_ENVIRONMENT": "local" for vendor in ("medipim", "pledg", "mediagenix")})
    rows = [_pull(vendor, pull) for vendor, pull in _PULLS.items()]
    report = output / "report"
    report.mkdir(parents=True, exist_ok=True)
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    with ThreadPoolExecutor(max_workers=2) as pool:  # a kernel each
        pages = list(pool.map(lambda path: _execute(path, report, save=save), paths))
    failed = [path.name for path, page in zip(paths, pages, strict=True) if page is None]
    (report / "index.html").write_text(_index(rows, [page for page in pages if page]), encoding="utf-8")
    click.echo(f"report: {report / 'index.html'} ({len(pages) - len(failed)} notebooks)")
    if failed:
        message = f"These notebooks failed: {', '.join(failed)}"
        raise click.ClickException(message)


_PULLS: Final[dict[str, Callable[[Any], Any]]] = {
    "medipim": lambda client: client.products.query().frame(),
    "pledg": lambda client: client.payment_schedule.query(amount_cents=20_000, created="2026-01-31").frame(),
    "mediagenix": lambda client: client.titles.query(expand=["metadata"]).frame(),
}


def _pull(vendor: str, pull: Callable[[Any], Any]) -> tuple[str, int, int, float]:
    client = vk.connect(vendor, environment="local")
    local.shared()  # so that its start does not count
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vk.SchemaDrift)  # the local data has oddities on purpose
        frame = pull(client)
    seconds = time.perf_counter() - started
    click.echo(f"{vendor}: {len(frame):,} rows, {frame.shape[1]} columns, {seconds:.2f} s")
    return vendor, len(frame), frame.shape[1], seconds


def _execute(path: Path, report: Path, *, save: bool) -> _Read | None:
    """Execute one notebook and write it as a page; None where a cell of it failed."""
    import nbformat  # noqa: PLC0415 - the notebook extra
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellExecutionError  # noqa: PLC0415
    from nbconvert import HTMLExporter  # noqa: PLC0415

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    # Saved widget state would hide the HTML of a panel in the page, and may hold what was typed.
    runner = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        store_widget_state=False,
        resources=resources,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # else each kernel warns of the transport it was given
    )
    try:
        runner.execute()
    except CellExecutionError as exc:
        click.echo(f"{path.name}: {exc}", err=True)
        return None
    _settle(notebook)
    if save:
        nbformat.write(notebook, path)
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    body, _ = exporter.from_notebook_node(notebook)
    page = report / f"{path.stem}.html"
    page.write_text(body, encoding="utf-8")
    return _read(page, notebook)


def _settle(notebook: Any) -> None:
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


class _Read(NamedTuple):
    """One executed notebook: its page, what it asks, and what it answers, where it says so."""

    page: Path
    question: str
    answer: str


def _read(page: Path, notebook: Any) -> _Read:
    asked = re.search(r"\*\*Question:\*\* (.+)", notebook.cells[0].source) if notebook.cells else None
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    answer = next((data["text/markdown"] for data in shown if "text/markdown" in data), "")
    return _Read(page, asked[1] if asked else "", re.sub("[*`]", "", answer))


def _entry(read: _Read) -> str:
    name, stem = html.escape(read.page.name), html.escape(read.page.stem)
    return f'<dt><a href="{name}">{stem}</a> {html.escape(read.question)}<dd>{html.escape(read.answer)}'


def _index(rows: list[tuple[str, int, int, float]], pages: list[_Read]) -> str:
    pulls = "".join(
        f"<tr><td>{html.escape(vendor)}<td>{count:,}<td>{width}<td>{seconds:.2f}"
        for vendor, count, width, seconds in rows
    )
    links = "".join(map(_entry, pages))
    style = "body{font:16px system-ui;margin:3em;max-width:50em;color-scheme:light dark}td,th{padding:.2em 1em}"
    style += "dt{margin-top:1em}dd{margin:.3em 0 0 1.5em;opacity:.8}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>vendorkit demo</title><style>{style}</style>'
        "<h1>vendorkit on its local vendors</h1>"
        f"<table><tr><th>vendor<th>rows<th>columns<th>seconds{pulls}</table><dl>{links}</dl></html>"
    )


@main.command()
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab on the notebooks, with the .env of this folder. ARGUMENTS go to JupyterLab (after --)."""
    environment = {ENV_FILE_VARIABLE: str(Path(".env").absolute()), **os.environ} if Path(".env").exists() else None
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={NOTEBOOKS}", *arguments]
    raise SystemExit(subprocess.call(command, env=environment))  # noqa: S603 - the user's own arguments


@main.command()
@click.option("--seconds", type=float, default=None, help="Stop after this long; default: at Ctrl-C.")
def serve(seconds: float | None) -> None:
    """Serve the local vendors, and print their addresses and how to reach them. The credentials are made up anew."""
    with local.start() as servers:
        ca = Path("build") / "local-ca.pem"
        ca.parent.mkdir(exist_ok=True)
        ca.write_text(servers["medipim"].ca_pem, encoding="ascii")
        for name in servers:
            click.echo(f"# {name}: {servers[name].base_url}")
            for variable, value in sorted(servers[name].credentials.items()):
                click.echo(f"{variable}={value}")
        click.echo(f"# certificate authority of all: {ca} (curl --cacert {ca} …)")
        try:
            time.sleep(seconds if seconds is not None else 10**9)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def doctor(*, as_json: bool) -> None:
    """Look at settings, network, TLS, clock, credentials and rate budget of each vendor that is configured."""
    from vendorkit.doctor import checkups, report  # noqa: PLC0415 - of the same name as the command

    found = checkups()
    fine = all(one.fine for one in found)
    if as_json:
        click.echo(json.dumps({"fine": fine, "vendors": {one.vendor: one.plain() for one in found}}, indent=2))
    else:
        click.echo("\n".join(report(found, shutil.get_terminal_size((120, 24)).columns)))
    raise SystemExit(0 if fine else 1)


def run() -> None:
    """Run the command line; an error of ours is one sentence of cause and one of remedy."""
    try:
        main(standalone_mode=True)
    except VendorkitError as exc:
        click.echo(f"vendorkit: {exc}", err=True)
        raise SystemExit(1) from exc
