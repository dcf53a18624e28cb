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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template
from typing import Any, Final

import click

import vendorkit as vk
from vendorkit import local
from vendorkit.envfile import ENV_FILE_VARIABLE
from vendorkit.errors import VendorkitError
from vendorkit.vendors.registry import CLIENTS

REPORT: Final = Path(__file__).with_name("report.html")
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
    """Query each mock server, execute the notebooks, write an HTML report. Needs no credentials."""
    os.environ.update({f"{vendor.upper()}_ENVIRONMENT": "local" for vendor in CLIENTS})
    rows = "".join(map(_example, CLIENTS))
    report = output / "report"
    report.mkdir(parents=True, exist_ok=True)
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    with ThreadPoolExecutor(max_workers=2) as pool:  # a kernel each
        entries = list(pool.map(lambda path: _execute(path, report, save=save), paths))
    page = Template(REPORT.read_text("utf-8")).substitute(rows=rows, notebooks="".join(entries))
    (report / "index.html").write_text(page, encoding="utf-8")
    failed = [path.name for path, entry in zip(paths, entries, strict=True) if not entry]
    click.echo(f"report: {report / 'index.html'} ({len(paths) - len(failed)} notebooks)")
    if failed:
        message = f"These notebooks failed: {', '.join(failed)}"
        raise click.ClickException(message)


def _example(vendor: str) -> str:
    """Run the example query of a vendor and return the report's row of it."""
    client = vk.connect(vendor, environment="local")
    local.shared()  # so that its start does not count
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vk.SchemaDrift)  # the mock data has oddities on purpose
        frame = client.example_query().frame()
    seconds = time.perf_counter() - started
    click.echo(f"{vendor}: {len(frame):,} rows, {frame.shape[1]} columns, {seconds:.2f} s")
    return f"<tr><td>{html.escape(vendor)}<td>{len(frame):,}<td>{frame.shape[1]}<td>{seconds:.2f}"


def _execute(path: Path, report: Path, *, save: bool) -> str:
    """Execute one notebook, write it as a page and return the report's entry of it; "" if a cell failed."""
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
        return ""
    _settle(notebook)
    if save:
        nbformat.write(notebook, path)
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    body, _ = exporter.from_notebook_node(notebook)
    (report / f"{path.stem}.html").write_text(body, encoding="utf-8")
    return _entry(path.stem, notebook)


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


def _entry(name: str, notebook: Any) -> str:
    """Return the report's entry of an executed notebook: its page, the question it asks, and the answer, if any."""
    asked = re.search(r"\*\*Question:\*\* (.+)", notebook.cells[0].source) if notebook.cells else None
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    answer = next((data["text/markdown"] for data in shown if "text/markdown" in data), "")
    name, question, answer = map(html.escape, (name, asked[1] if asked else "", re.sub("[*`]", "", answer)))
    return f'<dt><a href="{name}.html">{name}</a> {question}<dd>{answer}'


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
    """Run the mock servers, and print their addresses and how to reach them. The credentials are new at each start."""
    with local.start() as servers:
        ca = Path("build") / "local-ca.pem"
        ca.parent.mkdir(exist_ok=True)
        ca.write_text(next(servers[name].ca_pem for name in servers), encoding="ascii")
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
