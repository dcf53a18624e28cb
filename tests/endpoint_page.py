"""Writes the docs page of all endpoints from their list, the declared resources and the mock servers' routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.routing import Match

import vendorkit as vk
from vendorkit import local
from vendorkit.local.medipim.kinds import WORDS
from vendorkit.local.medipim.shop import WRITERS
from vendorkit.local.server.__main__ import APIS
from vendorkit.local.server.settings import Settings
from vendorkit.vendors.registry import connect_local

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "endpoints.md"
HEAD = """# Every documented endpoint

The endpoints on the vendors' pages, and how to use each: through a resource, with the same methods as any other, or by
a raw call. `make docs` writes this page from [a list](../tests/documented_endpoints.txt), the declared resources and
the routes of the mock servers. Only excerpts of the vendors' pages from 2013 to 2026 were read, so there may be more
endpoints.

- **raw call**: with `client = vk.connect(…)`; writing calls need `connect(…, writable=True)`.
- **mock**: what the mock server does. "writes" means only after `servers[…].set(writes=True)`. "refused" means that it
  responds with 403, as without a subscription. "no" means that it does not have the endpoint.
- **inferred**: what the pages do not settle. The client accepts every form of it. If there are several, the mock server
  has a switch.
"""


class Row(NamedTuple):
    """One endpoint: its note, the resource that reads it ("" if none), and what the mock server does with it."""

    vendor: str
    method: str
    path: str
    note: str
    resource: str
    mock: str

    @property
    def reads(self) -> bool:
        """Whether it only reads data."""
        return not self.note.startswith("write")


@cache
def rows() -> list[Row]:
    """Return all endpoints."""
    with local.start(products=10, brands=3, titles=20) as servers:
        clients = {
            "medipim": [connect_local("medipim", servers, country=country) for country in ("be", "fr")],
            "pledg": [connect_local("pledg", servers, country=None)],
            "mediagenix": [connect_local("mediagenix", servers, country=None)],
        }
        clients["sequence"] = clients["mediagenix"]
        return [_row(clients[vendor], vendor, *endpoint) for vendor, *endpoint in _listed()]


def _listed() -> Iterator[tuple[str, str, str, str]]:
    vendor = ""
    for line in (HERE / "documented_endpoints.txt").read_text("utf-8").splitlines():
        call, _, note = line.partition("  ")
        if line in APIS:
            vendor = line
        elif line and not line.startswith("#"):
            method, path = call.split()
            yield vendor, method, path, note.strip()


def _row(clients: list[vk.Client], vendor: str, method: str, path: str, note: str) -> Row:
    resources = {_resource(client, vendor, path) for client in clients} - {""}
    name = "" if note.startswith(("write", "no resource")) else ", ".join(sorted(resources))
    return Row(vendor, method, path, note, name, _mock(vendor, method, path))


def _resource(client: vk.Client, vendor: str, path: str) -> str:
    """Return the name of the resource that has this path, or ""."""
    if vendor in ("mediagenix", "sequence"):
        base = client.base_url if vendor == "mediagenix" else client.endpoint.origins["sequence"]
        name = client.follow(base + path.replace("{id}", "1")).resource.name
        return name if name in client.declared else ""
    for name, one in client.declared.items():
        own = {one.path, *([one.path.replace("/query", "/stream")] if one.strategies else [])}
        own.add(one.record_path.partition("?")[0])
        if path in {re.sub(r"\{\w+\}", "{uid}", each) for each in own}:
            return name
    return ""


def _mock(vendor: str, method: str, path: str) -> str:
    """Return what the mock server does with an endpoint, or "no" if it does not serve it."""
    address = path.replace("{uid}", "mer_1").replace("{id}", "1")
    scope = {"type": "http", "method": method, "path": address, "root_path": "", "headers": []}
    credentials = {"PLEDG_API_KEY": "", "PLEDG_API_SECRET": "", "PLEDG_MERCHANT_SECRET": ""}
    credentials |= {"PLEDG_DASHBOARD_EMAIL": "", "PLEDG_DASHBOARD_PASSWORD": ""}
    for country in ("be", "fr"):
        routes = APIS[vendor](Settings(country=country, titles=20), lambda _="": "https://x", credentials).routes()
        if any(route.matches(scope)[0] is Match.FULL for route in routes):
            break
    else:
        return "no"
    if vendor == "medipim" and path.removeprefix("/v4/") in WORDS["writes"]:
        return "writes" if path.removeprefix("/v4/") in WRITERS else "refused"
    if method in ("GET", "POST") and vendor in ("medipim", "pledg"):
        return "yes"
    return "yes" if method == "GET" else "writes"


def page() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    titles = {
        "medipim": "Medipim",
        "pledg": "Pledg",
        "mediagenix": "Mediagenix On-Demand",
        "sequence": "Mediagenix Sequence",
    }
    every = rows()
    for vendor, title in titles.items():
        lines = [
            f"## {title}",
            "",
            "| endpoint | resource | raw call | mock | inferred, notes |",
            "|---|---|---|---|---|",
        ]
        lines += [_line(row) for row in every if row.vendor == vendor]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _line(row: Row) -> str:
    call = f"{row.method.lower()}(path" if row.method in ("GET", "POST") else f'request("{row.method}", path'
    call += ", json=…)" if row.method in ("POST", "PUT") else ")"
    resource = f"`{row.resource}`" if row.resource else "writes" if not row.reads else "-"
    return f"| `{row.method} {row.path}` | {resource} | `client.{call}` | {row.mock} | {row.note} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
