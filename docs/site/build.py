"""Prepare the pages for the site and build it: `make docs`. The pages themselves stay plain Markdown for any reader."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
SOURCE = ROOT / "build" / "docs-source"
BUILT = ROOT / "build" / "docs"
# What each page of the reference shows: objects with docstrings.
REFERENCE = {
    "index": (
        "Connecting, and the whole package",
        [
            "vendorkit.vendors.connecting.connect",
            "vendorkit.deadline.cancellable",
            "vendorkit.http.chains.chain",
            "vendorkit.http.call.Policy",
            "vendorkit.frames.SchemaDrift",
            "vendorkit.pull.result.DataMoved",
        ],
    ),
    "queries": (
        "Resources, queries and datasets",
        [
            "vendorkit.vendors.bound.BoundResource",
            "vendorkit.query.Query",
            "vendorkit.pull.plan.Plan",
            "vendorkit.saved.dataset.Dataset",
            "vendorkit.saved.dataset.load",
            "vendorkit.httpfile.saved_requests",
        ],
    ),
    "vendors": (
        "Clients",
        [
            "vendorkit.vendors.client.Client",
            "vendorkit.vendors.medipim.client.Medipim",
            "vendorkit.vendors.pledg.client.Pledg",
            "vendorkit.vendors.mediagenix.client.Mediagenix",
        ],
    ),
    "panels": (
        "Panels",
        [
            "vendorkit.panels.connect.connect_panel",
            "vendorkit.panels.connect.ConnectPanel",
            "vendorkit.panels.request.widget.panel",
            "vendorkit.panels.request.widget.RequestPanel",
            "vendorkit.panels.browse.widget.browse",
            "vendorkit.panels.browse.widget.Browser",
            "vendorkit.panels.table.widget.table",
            "vendorkit.panels.table.widget.Table",
            "vendorkit.panels.table.view.View",
        ],
    ),
    "auth": (
        "Authentication",
        [
            "vendorkit.auth.basic.Basic",
            "vendorkit.auth.digest.Digest",
            "vendorkit.auth.token.ClientCredentials",
            "vendorkit.auth.signature",
        ],
    ),
    "errors": (
        "Errors",
        [
            "vendorkit.errors",
        ],
    ),
    "local": (
        "Mock servers",
        [
            "vendorkit.local.server.process.start",
            "vendorkit.local.server.process.LocalVendors",
            "vendorkit.local.server.process.LocalVendor",
            "vendorkit.local.server.settings.Settings",
        ],
    ),
}
_LOADS = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\ssrc\s*=\s*["']?\s*(?:https?:)?//[^\s"'>]*
    |<link\b[^>]*?\shref\s*=\s*["']?\s*(?:https?:)?//[^\s"'>]*|(?:url\(|@import)\s*["']?\s*(?:https?:)?//[^\s"')]*""",
    re.IGNORECASE | re.VERBOSE,
)
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_LINK = re.compile(r"(!?)\[([^]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")
_LIST = re.compile(r"^(?![ ]*(?:[-*]|\d+\.) |[ ]*$|[ ]*\||#)(.+)\n(?=(?:[-*]|1\.) )", re.MULTILINE)


def page(path: Path) -> str:
    """Return a page as Python's Markdown wants it: without comments, and with a blank line before each list."""
    parts = re.split(r"(^```.*?^```$)", _COMMENT.sub("", path.read_text("utf-8")), flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [_LIST.sub(r"\1\n\n", part) for part in parts[::2]]
    return _LINK.sub(lambda link: _link(link, path.parent), "".join(parts))


def _link(link: re.Match[str], folder: Path) -> str:
    """Return a link to another page, or only its text if it leads out of the site."""
    mark, text, target, anchor = link[1], link[2], link[3], link[4] or ""
    path = (folder / target).resolve()
    if path == ROOT / "README.md" or path == ROOT / "docs" / "README.md":
        return f"[{text}](index.md{anchor})"
    if path.parent == ROOT / "docs" or path.name in ("CONTRIBUTING.md", "CHANGELOG.md") or mark:
        inside = path.relative_to(ROOT / "docs") if path.is_relative_to(ROOT / "docs") else path.name
        return f"{mark}[{text}]({inside}{anchor})"
    return text


def main() -> None:
    """Write the pages to build/docs-source, and the site to build/docs."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "reference").mkdir(parents=True)
    for path in [*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        (SOURCE / ("index.md" if path.name == "README.md" else path.name)).write_text(page(path), "utf-8")
    shutil.copytree(ROOT / "docs" / "images", SOURCE / "images")
    for name, (title, objects) in REFERENCE.items():
        lines = [f"# {title}", *(f"\n::: {one}\n" for one in objects)]
        (SOURCE / "reference" / f"{name}.md").write_text("\n".join(lines), "utf-8")
    warnings = {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement
    # Not --quiet: that would hide warnings from --strict too.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", SITE / "mkdocs.yml"]
    if subprocess.call(command, env={**os.environ, **warnings}):  # noqa: S603 - a fixed command
        sys.exit("The site was not built: see the warnings above.")
    found = [f"{path}: {one}" for path in BUILT.rglob("*.*") if path.suffix in (".html", ".css") for one in loads(path)]
    if found:
        sys.exit("Pages ask other servers for something:\n" + "\n".join(found))
    print(f"site: {BUILT / 'index.html'}")  # noqa: T201


def loads(path: Path) -> list[str]:
    """Return what a browser would fetch from another server when it opens this page."""
    return _LOADS.findall(path.read_text("utf-8"))


if __name__ == "__main__":
    main()
