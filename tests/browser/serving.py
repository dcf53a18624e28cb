"""JupyterLab and Voila on loopback, with folders of their own, and what to do in their pages."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # No name but loopback resolves: what needs another address fails here as it would offline.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
WAIT_MS = 60_000  # machines that test may be slow
_START_S = 60
_ROOT = Path(__file__).parents[2]
# JupyterLab 3.6 with the front end of ipywidgets 7, in an environment of its own, and the kernel's side of the latter.
LAB3, _WIDGETS7 = _ROOT / "build" / "lab3" / "bin" / "python", _ROOT / "build" / "widgets7"
# No token, for it listens on loopback for one test run.
_LAB = (
    "--allow-root",
    "--ServerApp.port_retries=0",
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--ServerApp.disable_check_xsrf=True",
    "--LabApp.expose_app_in_browser=True",
    # Kernels of pages that were closed would stay; nobody waits for their end.
    "--MappingKernelManager.cull_idle_timeout=5",
    "--MappingKernelManager.cull_interval=2",
)
_NO_NEWS = (  # no look for updates, nothing to install; version 3 has neither, and refuses the names
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
_VOILA = ("--Voila.ip=127.0.0.1", "--Voila.port_retries=0", "--show_tracebacks=True")
_SETTINGS = {
    # Else a notice lies over the pictures.
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}',
    # Else cells out of sight are not there, neither for pictures nor for times.
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/themes": '{"theme": "JupyterLab THEME"}',
}


def environment(home: Path, *, theme: str = "Light") -> dict[str, str]:
    """Return what a server gets: Jupyter folders under *home*, mock servers, none of this machine's credentials."""
    vendors = ("MEDIPIM", "PLEDG", "MEDIAGENIX")
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*vendors, "PYTEST", "JUPYTER"))}
    settings = home / "settings"
    for name, text in _SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("THEME", theme), encoding="utf-8")
    (home / "empty.env").touch(mode=0o600)
    own = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    own |= {f"{vendor}_ENVIRONMENT": "local" for vendor in vendors}
    # Kernels start in another folder, and are to import the package that is tested.
    own["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    return kept | own | {"IPYTHONDIR": str(home / "ipython"), "VENDORKIT_ENV_FILE": str(home / "empty.env")}


def _with_widgets7(home: Path) -> dict[str, str]:
    """Write a kernel that runs the package that is tested with ipywidgets 7, and return what lets a server find it."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    paths = {"PYTHONPATH": os.pathsep.join([str(_WIDGETS7), environment(home)["PYTHONPATH"]])}
    written = {"argv": command, "display_name": "Python 3", "language": "python", "env": paths}
    path = home / "data" / "kernels" / "python3" / "kernel.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(written), encoding="utf-8")
    return {"JUPYTER_PREFER_ENV_PATH": "0"}


@contextmanager
def serving(kind: str, notebooks: Path, home: Path, *, theme: str = "Light") -> Iterator[str]:
    """Run `lab`, `lab3` or `voila` on a folder and yield its address; its whole process group ends with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home.mkdir(parents=True, exist_ok=True)
    own, python = environment(home, theme=theme), sys.executable
    if kind == "lab3":
        own, python = own | _with_widgets7(home), str(LAB3)
    if kind != "voila":
        command = [
            "-m",
            "jupyterlab",
            "--ip=127.0.0.1",
            *_LAB,
            *(_NO_NEWS if kind == "lab" else ()),
            f"--ServerApp.root_dir={notebooks}",
        ]
        ready = f"http://127.0.0.1:{port}/api/status"
    else:
        command = ["-m", "voila", str(notebooks), *_VOILA, f"--theme={theme.lower()}"]
        ready = f"http://127.0.0.1:{port}/"
    log = home / f"{kind}.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [python, *command, "--no-browser", f"--port={port}"],
            cwd=notebooks,
            env=own,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(server, ready, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            _end(server)


def _wait(server: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(ready, timeout=2):  # noqa: S310 - loopback
                return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
    message = f"the server did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    raise RuntimeError(message)


def _end(server: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of these cells, not executed."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, path)
    return path


def open_in_lab(page: Any, address: str, name: str) -> None:
    """Open a notebook of the server's folder in JupyterLab; its kernel is ready afterwards."""
    page.goto(f"{address}/doc/tree/{name}?reset", wait_until="domcontentloaded")
    page.locator(".jp-Notebook").wait_for()
    # Not `await`ed in the page: an evaluation has no timeout.
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
        }"""
    )


def run_all(page: Any) -> None:
    """Run all cells of the open notebook, and do not wait."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")


def wait_until_run(page: Any) -> None:
    """Wait until every code cell has run or one has failed, and the kernel is idle."""
    page.wait_for_function(
        """() => {
            const open = window.jupyterapp.shell.currentWidget;
            const code = open.content.widgets.filter(cell => cell.model.type === 'code');
            const failed = code.some(cell => cell.model.outputs.toJSON().some(out => out.output_type === 'error'));
            const done = code.every(cell => cell.model.executionCount || !cell.model.sharedModel.source.trim());
            return (failed || done) && open.sessionContext.session?.kernel?.status === 'idle';
        }"""
    )


def outputs(page: Any) -> list[dict[str, Any]]:
    """Return all outputs of the open notebook, as they would be saved."""
    script = """() => window.jupyterapp.shell.currentWidget.content.widgets
        .filter(cell => cell.model.type === 'code').flatMap(cell => cell.model.outputs.toJSON())"""
    return list(page.evaluate(script))


def picture(page: Any, path: Path) -> None:
    """Save what the page shows; of an app as far down as there is something."""
    page.wait_for_timeout(500)  # what the last click brought is laid out
    end = page.evaluate(
        """() => Math.max(0, ...[...document.querySelectorAll('body.jp-Notebook .jp-OutputArea-child')]
            .map(shown => shown.getBoundingClientRect().bottom + scrollY))"""
    )
    if end:
        page.set_viewport_size({"width": page.viewport_size["width"], "height": int(end) + 20})
    page.screenshot(path=path)


def button(page: Any, text: str) -> Any:
    """Return the ipywidgets button with exactly this text; JupyterLab's own buttons are no match."""
    return page.locator("button.jupyter-button").filter(has_text=re.compile(rf"^\s*{re.escape(text)}\s*$"))
