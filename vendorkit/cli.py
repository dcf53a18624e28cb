"""The command line: `vendorkit init | demo | lab | serve | doctor`."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Final

import click

from vendorkit import local
from vendorkit.demo import NEEDED_MODULES, require_notebook_extra, run_demo
from vendorkit.doctor import checkups, next_step, report
from vendorkit.envfile import ENV_FILE_VARIABLE, env_path
from vendorkit.errors import UsageError, VendorkitError
from vendorkit.files import real_path
from vendorkit.installed import IS_CHECKOUT, NOTEBOOKS, START, copy_notebooks, create_folder, write_settings
from vendorkit.local.server.address_file import address_file
from vendorkit.settings import LOCAL_VARIABLE
from vendorkit.vendors.registry import CLIENTS

LAB_FOLDER: Final = Path("vendorkit-notebooks")
_LONG: Final = 1e8  # seconds: three years; time.sleep rejects longer times on some systems
_FOLDER: Final = click.Path(path_type=Path)


_START: Final = """\b
Start here:
  vendorkit init      copy a .env template and the notebooks into this folder
  vendorkit lab       open the notebooks in JupyterLab
  vendorkit doctor    check settings, network and credentials
"""


def _examples(*lines: str) -> str:
    # \b keeps click from reflowing the lines as a paragraph.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


@click.group(epilog=_START, context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vendorkit")
def main() -> None:
    """
    From a vendor's credentials to a typed DataFrame, in a notebook.

    The vendors are Medipim, Pledg and Mediagenix On-Demand. Without credentials everything runs against mock servers.
    """


@main.command(
    epilog=_examples("vendorkit init", "vendorkit init my-analysis"),
    short_help="Write .env and copy the notebooks into a folder.",
)
@click.argument("folder", type=_FOLDER, default=".")
def init(folder: Path) -> None:
    """
    Write .env and copy the notebooks into FOLDER (default: the current folder).

    Fill in the .env with the credentials from your vendor; only you can read it. Existing files are never overwritten.
    """
    create_folder(folder)
    is_new = write_settings(folder)
    shown = click.format_filename(folder)
    click.echo(f"settings: {shown}/.env {'written, mode 600' if is_new else 'already exists, not changed'}")
    if IS_CHECKOUT and NOTEBOOKS in (folder.resolve(), folder.resolve() / "notebooks"):
        click.echo("notebooks: not copied, because this is a checkout; vendorkit lab opens copies")
    else:
        copied, existing = copy_notebooks(folder)
        suffix = f", {existing} already exist, not changed" if existing else ""
        click.echo(f"notebooks: {copied} copied to {shown}{suffix}")
    click.echo("next: fill in .env and run vendorkit doctor; or run vendorkit lab, which needs no credentials")


@main.command(
    epilog=_examples("vendorkit demo", "vendorkit demo --output /tmp/demo"),
    short_help="Run everything against the mock servers; write an HTML report.",
)
@click.option("--output", type=_FOLDER, default="build", help="The folder for the report.", show_default=True)
@click.option("--save", is_flag=True, help="In a checkout: also overwrite the notebooks with their executed versions.")
def demo(output: Path, *, save: bool) -> None:
    """
    Query each mock server, execute the notebooks, and write an HTML report.

    This needs no credentials and takes about a minute. The exit code is 1 if a notebook fails.
    """
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not paths:
        what = f"There are no notebooks to run in {NOTEBOOKS}."
        raise UsageError(what, remedy="Install vendorkit again: the notebooks are part of the package.")
    if save and not IS_CHECKOUT:
        what = "--save only works in a checkout, and this vendorkit is an installed package."
        raise UsageError(what, remedy="Run the command without --save.")
    require_notebook_extra(*NEEDED_MODULES)
    folder = create_folder(output / "report")
    os.environ.update({f"{vendor.upper()}_ENVIRONMENT": "local" for vendor in CLIENTS})
    failed = run_demo(paths, folder, save=save)
    click.echo(f"report: {click.format_filename(folder / 'index.html')} ({len(paths) - len(failed)} notebooks)")
    if failed:
        message = f"These notebooks failed: {', '.join(failed)}"
        raise click.ClickException(message)


@main.command(
    epilog=_examples("vendorkit lab", "vendorkit lab --no-browser --port 9999", "vendorkit lab --folder my-analysis"),
    short_help="Open copies of the notebooks in JupyterLab.",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--folder", type=_FOLDER, help=f"The folder of the copies. [default: ./{LAB_FOLDER}, see above]")
@click.argument("arguments", metavar="[JUPYTERLAB OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
def lab(folder: Path | None, arguments: tuple[str, ...]) -> None:
    """
    Open copies of the notebooks in JupyterLab, with the .env of the current folder or $VENDORKIT_ENV_FILE.

    If `vendorkit init` copied the notebooks into this folder, those are opened. Otherwise they are copied to
    ./vendorkit-notebooks. Options that are not listed below are passed to JupyterLab.
    """
    require_notebook_extra("jupyterlab")
    current = real_path(Path())  # unlike Path.cwd(), it does not raise if the folder was deleted
    default = current if (current / START).exists() and current.resolve() != NOTEBOOKS else current / LAB_FOLDER
    root = create_folder(folder or default).resolve()
    if IS_CHECKOUT and root == NOTEBOOKS:
        what = f"{root} holds the tracked notebooks of the checkout, which JupyterLab would change."
        raise UsageError(what, remedy="Omit --folder, or set it to another folder for the copies.")
    copy_notebooks(root)
    # Kernels run in another folder.
    settings = current / env_path()[0]
    environment = {**os.environ, ENV_FILE_VARIABLE: str(settings)} if settings.exists() else None
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{START}"]
    command = [sys.executable, "-m", "jupyterlab", *options, *arguments]
    raise SystemExit(subprocess.call(command, env=environment))  # noqa: S603 - the user's own arguments


@main.command(
    epilog=_examples(
        "vendorkit serve > mock.env                            in one terminal",
        "VENDORKIT_ENV_FILE=mock.env vendorkit doctor          in another terminal",
        "curl --cacert FILE -u ID:SECRET 'https://127.0.0.1:PORT/v4/brands/find?id=9'",
    ),
    short_help="Run the mock servers; print a .env for them.",
)
@click.option("--seconds", type=click.FloatRange(0), default=_LONG, help="Stop after this time. [default: at Ctrl-C]")
def serve(seconds: float) -> None:
    """
    Run the mock servers, and print a .env with which vendorkit and other programs can connect to them.

    The output is a complete settings file. Ports and credentials are different after each start. The files that the
    output names exist while the servers run.
    """
    with local.start() as servers:
        click.echo("\n".join(settings_lines(servers)).encode())  # always UTF-8, because it is a settings file
        try:
            time.sleep(min(_LONG, seconds))
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def settings_lines(servers: local.LocalVendors) -> list[str]:
    """Return a settings file for these mock servers. The files it names exist while the servers run."""
    addresses = address_file(servers)
    authority = addresses.with_name("local-ca.pem")
    authority.write_text(next(servers[name].ca_pem for name in servers), encoding="ascii")
    settings = {LOCAL_VARIABLE: str(addresses)}
    for name in servers:
        settings |= {f"{name.upper()}_ENVIRONMENT": "local"} if name in CLIENTS else {}
        settings |= servers[name].credentials  # a dict, because the two servers of Mediagenix have the same credentials
    return [
        "# Mock servers of vendorkit, reachable from this machine only.",
        *(f"# {name}: {servers[name].base_url}" for name in servers),
        *(f"{name}='{value}'" for name, value in settings.items()),
        f"# certificate authority of all servers: {authority} (curl --cacert {authority} …)",
    ]


@main.command(
    epilog=_examples("vendorkit doctor", "vendorkit doctor --json"),
    short_help="Check settings, network, TLS, clock, credentials and rate budget.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(*, as_json: bool) -> None:
    """
    Check settings, network, TLS, clock, credentials and rate budget of each configured vendor.

    One small request is sent to each vendor, and no credential is shown. The exit code is 1 if a check fails.
    """
    results = checkups()
    fine = all(checkup.fine for checkup in results)
    if as_json:
        vendors = {checkup.vendor: checkup.plain() for checkup in results}
        click.echo(json.dumps({"fine": fine, "next": next_step(results), "vendors": vendors}, indent=2))
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        click.echo("\n".join([*report(results, width), f"\nNext: {next_step(results)}"]))
    raise SystemExit(0 if fine else 1)


def run() -> None:
    """Run the command line. An error is printed as one sentence of cause and one of remedy, without a traceback."""
    warnings.formatwarning = lambda message, *_, **__: f"vendorkit: {message}\n"  # without a line of our code
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that servers and kernels end too
    if isinstance(sys.stdout, io.TextIOWrapper):  # a redirected Windows console cannot encode every path
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main(standalone_mode=True)
    except (VendorkitError, OSError) as exc:
        click.echo(f"vendorkit: {exc}", err=True)
        raise SystemExit(1) from exc
