"""Everything below this folder needs a browser: `make browser`, not part of the ordinary run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SHOTS = HERE.parents[1] / "build" / "screenshots"

# What the front ends themselves say or ask for, which is not ours to mend.
_THEIR_REQUESTS = {
    # Voila's page template links Font Awesome at jsdelivr, for icons on buttons; ours have none.
    r"^https://cdn\.jsdelivr\.net/npm/@fortawesome/": "Voila",
}
_THEIR_ERRORS = {
    r"^Could not restore the debugger state": "JupyterLab: a notebook that is opened while its kernel starts",
    r"net::ERR_NAME_NOT_RESOLVED .*cdn\.jsdelivr\.net/npm/@fortawesome/": "Voila: the same links, without a host",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is collected here; the hook sees the tests of all folders."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, without a window and without any address but loopback."""
    from playwright.sync_api import expect, sync_playwright

    from tests.browser.serving import CHROMIUM, FLAGS, WAIT_MS

    expect.set_options(timeout=WAIT_MS)

    if not CHROMIUM.exists():
        pytest.skip("Debian's chromium is not installed")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def context(chromium) -> Any:
    """One browsing context for all tests: the scripts of JupyterLab, several megabytes, stay in its cache."""
    return chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)


@pytest.fixture
def page(context, request) -> Iterator[Any]:
    """A fresh page. At the end: nothing outside was asked for, no error of ours stands in the console; a picture."""
    from tests.browser.serving import WAIT_MS, picture

    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda sent: asked.append(sent.url))
    opened.on("console", lambda told: said.append(f"{told.text} {told.location}") if told.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    SHOTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "_", request.node.name.removeprefix("test_")).strip("_")
    picture(opened, SHOTS / f"{name}.png")
    opened.close()
    outside = [url for url in asked if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:|about:", url)]
    assert not [url for url in outside if not any(re.search(known, url) for known in _THEIR_REQUESTS)]
    assert not [text for text in said if not any(re.search(known, text) for known in _THEIR_ERRORS)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The folder that the servers serve; tests write their notebooks there."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="session")
def lab(folder, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab on the folder."""
    from tests.browser.serving import serving

    with serving("lab", folder, tmp_path_factory.mktemp("lab")) as address:
        yield address


@pytest.fixture(scope="session")
def voila(folder, tmp_path_factory) -> Iterator[str]:
    """The address of a Voila on the folder."""
    from tests.browser.serving import serving

    with serving("voila", folder, tmp_path_factory.mktemp("voila")) as address:
        yield address


@pytest.fixture
def app(page, voila, folder, request) -> Callable[[str], Any]:
    """A function that opens a cell as an app."""
    from tests.browser.serving import write_notebook

    def opened(cell: str, theme: str = "light") -> Any:
        name = re.sub(r"\W+", "_", request.node.name)
        write_notebook(folder / f"{name}.ipynb", cell)
        page.goto(f"{voila}/voila/render/{name}.ipynb?theme={theme}")
        page.locator("button.jupyter-button").first.wait_for()
        return page

    return opened


@pytest.fixture(scope="session")
def lab3(folder, tmp_path_factory) -> Iterator[str]:
    """As `lab`, with JupyterLab 3.6 and ipywidgets 7.7.1."""
    from tests.browser.serving import LAB3, serving

    if not LAB3.exists():
        pytest.skip("JupyterLab 3.6 is not installed: make build/lab3/.ready")
    with serving("lab3", folder, tmp_path_factory.mktemp("lab3")) as address:
        yield address
