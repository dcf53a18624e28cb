"""The README and docs: their code runs, their links and commands exist, and their lists are complete."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

import vendorkit as vk
from tests.resource_pages import DOCS, VENDORS, page_of, rewritten, with_addresses
from vendorkit.cli import main

ROOT = DOCS.parent
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])
_FENCE = re.compile(r"^([ ]*)```python\n(.*?)^[ ]*```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
_MAKE = re.compile(r"`?make ([a-z]+)\b")
_COMMAND = re.compile(r"\bvendorkit (init|demo|lab|serve|doctor)\b")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def _code(page: Path) -> str:
    """Return the Python code of a page, including the code in comments, which prepares the shown code."""
    found = []
    for indent, code in _FENCE.findall(page.read_text(encoding="utf-8")):
        found.append("\n".join(line.removeprefix(indent) for line in code.splitlines()))
    return "\n".join(found)


@pytest.mark.parametrize("page", [page for page in PAGES if _code(page)], ids=lambda page: page.stem)
def test_code_of_a_page_runs_from_top_to_bottom(page, vendors, monkeypatch):
    """In one namespace and an empty folder, on the mock servers, with nothing else prepared."""
    code = compile(_code(page), str(page), "exec")
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # dataclasses look their module up
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", vk.SchemaDrift)  # the mock data has undeclared fields, as real data has
        exec(code, module.__dict__)  # noqa: S102 - the project's own pages


def test_session_of_the_readme_prints_what_it_shows(vendors):
    """The ten lines print the shown output, on the mock servers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vk.SchemaDrift)
        text = "".join(
            re.findall(r"^```pycon\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
        )
        session = doctest.DocTestParser().get_doctest(text, {}, "README.md", None, 0)
        results = doctest.DocTestRunner().run(session)
    assert (results.failed, results.attempted) == (0, 10)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {"#" + re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@each_page
def test_links_of_a_page_lead_to_files_and_headings(page):
    """Links to other hosts are not checked."""
    links = re.findall(r"\]\(([^)#\s]*)(#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inside = [(page.parent / target if target else page, anchor) for target, anchor in links if "://" not in target]
    assert [str(target) for target, _ in inside if not target.exists()] == []
    assert [anchor for target, anchor in inside if anchor and anchor not in _anchors(target)] == []


@each_page
def test_commands_of_a_page_exist(page):
    """Each `make` target and each command of `vendorkit` that the page names."""
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    consoles = re.findall(r"^```console\n.*?^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`[^`]+`", re.sub(r"^[ ]*```.*?^[ ]*```", "", text, flags=re.DOTALL | re.MULTILINE))
    code = " ".join([*consoles, *spans])
    assert set(_MAKE.findall(code)) <= targets
    assert set(_COMMAND.findall(text)) <= set(main.commands)


def test_every_page_is_listed_on_the_first_one():
    """docs/README.md lists all other pages of its folder."""
    listed = {target for target, _ in _LINK.findall((DOCS / "README.md").read_text(encoding="utf-8"))}
    assert listed == {page.name for page in DOCS.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_page_of_a_vendor_lists_its_resources_as_they_are_declared(vendor, vendors):
    """`make docs` brings the page up to date."""
    client = vk.connect(vendor, environment="local")
    assert page_of(client).read_text(encoding="utf-8") == rewritten(client)


def test_page_on_credentials_has_every_address():
    """`make docs` brings the page up to date."""
    text = (DOCS / "credentials.md").read_text(encoding="utf-8")
    assert text == with_addresses(text)


@pytest.mark.parametrize("vendor", VENDORS)
def test_page_of_a_vendor_names_all_its_settings(vendor, vendors):
    """The settings that the client reads, its environment and its base URL."""
    client = vk.connect(vendor, environment="local")
    text = page_of(client).read_text(encoding="utf-8")
    prefix = vendor.upper()
    assert [
        name for name in (*client.setting_names, f"{prefix}_ENVIRONMENT", f"{prefix}_BASE_URL") if name not in text
    ] == []


def test_readme_stays_short():
    """Fewer than 120 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


@each_page
def test_libraries_in_the_code_of_a_page_are_installed_with_vendorkit_or_named(page):
    """`vendorkit[all]` installs them, or the page has their `pip install`; pandas needs openpyxl to read a workbook."""
    text = page.read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\ntest = [")[0]
    installed = {name.lower() for name in re.findall(r'^ *"([A-Za-z-]+)', project, re.MULTILINE)}
    named = set(" ".join(re.findall(r"pip install ([a-z -]+)", text)).split())
    imported = set(re.findall(r"^ *(?:import|from) (\w+)", _code(page), re.MULTILINE))
    imported |= {"openpyxl"} if "read_excel(" in text else set()
    assert imported - installed - named - sys.stdlib_module_names <= {"vendorkit"}
