"""The command line: `vendorkit init | demo | lab | serve | doctor`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from vendorkit import local
from vendorkit.demo import require_notebook_extra, run_demo
from vendorkit.doctor import checkups, next_step, report
from vendorkit.envfile import ENV_FILE_VARIABLE
from vendorkit.errors import SettingsError, UsageError, VendorkitError
from vendorkit.installed import IS_CHECKOUT, NOTEBOOKS, START, copy_notebooks, create_folder, write_settings
from vendorkit.local.server.address_file import address_file
from vendorkit.settings import LOCAL_VARIABLE
from vendorkit.vendors.registry import CLIENTS

LAB_FOLDER: Final = Path("vendorkit-notebooks")
_LONGEST_S: Final = 1e8  # three years; time.sleep takes no more on some systems
_ANY_FOLDER: Final = click.Path(path_type=Path)


_START: Final = """\b
Start here:
  vendorkit init      a .env to fill in, and the notebooks, in this folder
  vendorkit lab       JupyterLab on the notebooks
  vendorkit doctor    whether settings, network and credentials are right
"""


def _examples(*lines: str) -> str:
    r"""Return these lines as they are, below a head; without \b click would fill them as a paragraph."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


@click.group(epilog=_START, context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vendorkit")
def main() -> None:
    """
    From a vendor's credentials to a typed DataFrame, in a notebook.

    The vendors are Medipim, Pledg and Mediagenix On-Demand. Without credentials everything runs on mock servers.
    """


@main.command(
    epilog=_examples("vendorkit init", "vendorkit init my-analysis"),
    short_help="Write .env and copy the notebooks into a folder.",
)
@click.argument("folder", type=_ANY_FOLDER, default=".")
def init(folder: Path) -> None:
    """
    Write .env and copy the notebooks into FOLDER (default: this one).

    Only you can read the .env; fill in what your vendor gave you. Files that exist are never overwritten.
    """
    create_folder(folder)
    written = write_settings(folder)
    place = click.format_filename(folder)
    click.echo(f"settings: {place}/.env {'written, mode 600' if written else 'exists and is kept'}")
    if IS_CHECKOUT and NOTEBOOKS in (folder.resolve(), folder.resolve() / "notebooks"):
        click.echo("notebooks: this is a checkout; vendorkit lab opens copies of them")
    else:
        copied, kept = copy_notebooks(folder)
        click.echo(f"notebooks: {copied} copied to {place}{f', {kept} exist and are kept' if kept else ''}")
    click.echo("next: fill in .env, then run vendorkit doctor; or run vendorkit lab, which needs no credentials")


@main.command(
    epilog=_examples("vendorkit demo", "vendorkit demo --output /tmp/demo"),
    short_help="Run everything on the mock servers; write an HTML report.",
)
@click.option("--output", type=_ANY_FOLDER, default="build", help="The folder for the report.", show_default=True)
@click.option("--save", is_flag=True, help="In a checkout: also save the executed notebooks in place.")
def demo(output: Path, *, save: bool) -> None:
    """
    Query each mock server, execute the notebooks, write an HTML report.

    Needs no credentials, and takes about a minute. The exit code is 1 if a notebook fails.
    """
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not paths:
        what = f"There are no notebooks to run in {NOTEBOOKS}."
        raise UsageError(what, remedy="Install vendorkit again: the notebooks are part of the package.")
    if save and not IS_CHECKOUT:
        what = "--save writes the notebooks of a checkout, and this is an installed package."
        raise UsageError(what, remedy="Leave it out.")
    require_notebook_extra()
    folder = create_folder(output / "report")
    os.environ.update({f"{vendor.upper()}_ENVIRONMENT": "local" for vendor in CLIENTS})
    failed = run_demo(paths, folder, save=save)
    click.echo(f"report: {click.format_filename(folder / 'index.html')} ({len(paths) - len(failed)} notebooks)")
    if failed:
        message = f"These notebooks failed: {', '.join(failed)}"
        raise click.ClickException(message)


@main.command(
    epilog=_examples("vendorkit lab", "vendorkit lab --no-browser --port 9999", "vendorkit lab --folder my-analysis"),
    short_help="Open JupyterLab on copies of the notebooks.",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--folder", type=_ANY_FOLDER, help=f"The folder of the copies. [default: ./{LAB_FOLDER}, see above]")
@click.argument("arguments", metavar="[JUPYTERLAB OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
def lab(folder: Path | None, arguments: tuple[str, ...]) -> None:
    """
    Open JupyterLab on copies of the notebooks, with the .env of this folder.

    If `vendorkit init` copied the notebooks to this folder, these are opened; else copies in ./vendorkit-notebooks.
    Options that are not listed below are passed on to JupyterLab.
    """
    if find_spec("jupyterlab") is None:
        what = "vendorkit lab needs JupyterLab, which is not installed."
        raise SettingsError(what, remedy='Install it with: pip install "vendorkit[all]"')
    here = Path.cwd()
    default = here if (here / START).exists() and here.resolve() != NOTEBOOKS else here / LAB_FOLDER
    opened = create_folder(folder or default).resolve()
    if IS_CHECKOUT and opened == NOTEBOOKS:
        what = f"{opened} holds the tracked notebooks of the checkout."
        raise UsageError(what, remedy="Leave --folder out, or give another folder for the copies.")
    copy_notebooks(opened)
    environment = {ENV_FILE_VARIABLE: str(here / ".env"), **os.environ} if (here / ".env").exists() else None
    options = [f"--ServerApp.root_dir={opened}", f"--LabApp.default_url=/lab/tree/{START}"]
    command = [sys.executable, "-m", "jupyterlab", *options, *arguments]
    raise SystemExit(subprocess.call(command, env=environment))  # noqa: S603 - the user's own arguments


def _seconds(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 <= value <= _LONGEST_S:  # NaN is neither
        message = f"{value} is not a number of seconds from 0 to {_LONGEST_S:.0f}."
        raise click.BadParameter(message)
    return value


@main.command(
    epilog=_examples(
        "vendorkit serve > mock.env                            in one terminal",
        "VENDORKIT_ENV_FILE=mock.env vendorkit doctor          in another one",
        "curl --cacert FILE -u ID:SECRET 'https://127.0.0.1:PORT/v4/brands/find?id=9'",
    ),
    short_help="Run the mock servers; print a .env that reaches them.",
)
@click.option("--seconds", type=float, callback=_seconds, help="Stop after this long. [default: at Ctrl-C]")
def serve(seconds: float | None) -> None:
    """
    Run the mock servers, and print a .env with which vendorkit and other programs reach them.

    The output is a complete settings file. Ports and credentials are new at each start. The files that it names exist
    while the servers run.
    """
    with local.start() as servers:
        click.echo("\n".join(settings_lines(servers)).encode())  # a settings file is UTF-8 whatever the terminal is
        try:
            time.sleep(_LONGEST_S if seconds is None else seconds)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def settings_lines(servers: local.LocalVendors) -> list[str]:
    """Return the lines of a settings file that leads to these mock servers; what it names exists as long as they."""
    addresses = address_file(servers)
    authority = addresses.with_name("local-ca.pem")
    authority.write_text(next(servers[name].ca_pem for name in servers), encoding="ascii")
    lines = {LOCAL_VARIABLE: str(addresses)}  # by name, because two servers share the credentials of Mediagenix
    for name in servers:
        lines |= {f"{name.upper()}_ENVIRONMENT": "local"} if name in CLIENTS else {}
        lines |= servers[name].credentials
    return [
        "# Mock servers of vendorkit, on this machine only.",
        *(f"# {name}: {servers[name].base_url}" for name in servers),
        *(f"{name}='{value}'" for name, value in lines.items()),
        f"# certificate authority of all: {authority} (curl --cacert {authority} …)",
    ]


@main.command(
    epilog=_examples("vendorkit doctor", "vendorkit doctor --json"),
    short_help="Check settings, network, TLS, clock, credentials and rate budget.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(*, as_json: bool) -> None:
    """
    Check settings, network, TLS, clock, credentials and rate budget of each configured vendor.

    Sends one small request to each of them, and never shows a credential. The exit code is 1 if a check fails.
    """
    found = checkups()
    fine = all(one.fine for one in found)
    if as_json:
        vendors = {one.vendor: one.plain() for one in found}
        click.echo(json.dumps({"fine": fine, "next": next_step(found), "vendors": vendors}, indent=2))
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        click.echo("\n".join([*report(found, width), f"\nNext: {next_step(found)}"]))
    raise SystemExit(0 if fine else 1)


def run() -> None:
    """Run the command line; an error is one sentence of cause and one of remedy."""
    try:
        main(standalone_mode=True)
    except (VendorkitError, OSError) as exc:
        click.echo(f"vendorkit: {exc}", err=True)
        raise SystemExit(1) from exc
