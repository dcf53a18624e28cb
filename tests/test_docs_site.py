"""The pages of the site keep the text, code and links of the pages in docs/, and load nothing from other servers."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pydoc import locate

import pytest

import vendorkit as vk
from tests.resource_pages import DOCS

SITE = DOCS / "site"
spec = importlib.util.spec_from_file_location("build_site", SITE / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

PAGES = sorted([*DOCS.glob("*.md"), DOCS.parent / "CONTRIBUTING.md", DOCS.parent / "CHANGELOG.md"])
OBJECTS = [one for _, objects in build.REFERENCE.values() for one in objects]


@pytest.mark.parametrize("name", OBJECTS)
def test_reference_shows_objects_with_docstrings(name):
    """Each object exists; a name that moved would give an empty page."""
    assert inspect.getdoc(locate(name))


@pytest.mark.parametrize(
    "name", sorted({*vk.__all__} - {"auth", "errors"} | {f"auth.{one}" for one in vk.auth.__all__})
)
def test_reference_has_every_public_name(name):
    """All names of the package and of `vendorkit.auth`."""
    wanted = locate(f"vendorkit.{name}")
    shown = [locate(one) for one in OBJECTS]
    assert any(one is wanted or getattr(one, name.rpartition(".")[2], None) is wanted for one in shown)


def test_site_has_every_page():
    """The menu lists all pages of docs/ and of the reference; the generator omits pages that are not in the menu."""
    menu = (SITE / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"[\w/-]+\.md", menu))
    names = {path.name.replace("README", "index") for path in PAGES}
    assert listed == names | {f"reference/{name}.md" for name in build.REFERENCE}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_keeps_its_code_and_its_links(path):
    """Links lead to pages of the site, or are replaced by their text; code outside comments is unchanged."""
    text = build.page(path)
    names = {page.name.replace("README", "index") for page in PAGES}
    targets = [target for _, _, target, _ in build._LINK.findall(text) if not target.startswith("images/")]
    assert set(targets) <= names
    shown = build._COMMENT.sub("", path.read_text("utf-8"))
    fence = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
    assert fence.findall(text) == fence.findall(shown)
    assert "<!--" not in text


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://cdn.example/x.js"></script>', 1),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', 1),
        ("a{background:url(https://cdn.example/x.png)}", 1),
        ('<a href="https://vendor.example">a link to click on</a><script src="x.js"></script>', 0),
    ],
)
def test_pages_that_load_from_other_servers_are_found(html, found, tmp_path):
    """Scripts, styles and pictures count; links that a reader clicks do not."""
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    assert len(build.loads(tmp_path / "page.html")) == found
