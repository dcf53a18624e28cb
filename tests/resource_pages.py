"""Writes the docs pages of the vendors' resources from their declarations. Run it as a module to rewrite them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import vendorkit as vk
from vendorkit.frames.kinds import Embedded, EmbeddedMany, Kind, ListOf, Struct, Type
from vendorkit.resource import Resource
from vendorkit.vendors.registry import CLIENTS

DOCS = Path(__file__).resolve().parents[1] / "docs"
VENDORS = ("medipim", "pledg", "mediagenix")
_WORDS = {
    Kind.ID: "code",
    Kind.EPOCH: "time, UTC",
    Kind.DATETIME: "time, UTC",
    Kind.JSON: "anything, as JSON text",
    Kind.DOCUMENT: "free document, as JSON text",
    Kind.LOCALISED: "text for each locale",
    Kind.TEXT_OR_LOCALISED: "text, and text for each locale",
}
_ADDRESSES = re.compile(r"(<!-- addresses: [^>]*-->\n).*?(<!-- end of addresses -->)", re.DOTALL)
_GENERATED = re.compile(r"(<!-- resources: [^>]*-->\n).*?(<!-- end of resources -->)", re.DOTALL)


def page_of(client: vk.Client) -> Path:
    """Return the path of a vendor's page."""
    return DOCS / f"{client.vendor_name}.md"


def rewritten(client: vk.Client) -> str:
    """Return the vendor's page with its resources as declared now."""
    sections = "\n\n".join(_section(resource) for resource in client.declared.values())
    return _GENERATED.sub(lambda m: f"{m[1]}\n{sections}\n\n{m[2]}", page_of(client).read_text(encoding="utf-8"))


def _section(resource: Resource) -> str:
    lines = [f"### {resource.name}", "", resource.about, ""]
    if resource.filters:
        lines += ["Filters: " + ", ".join(f"`{f.name}`" + " (required)" * f.required for f in resource.filters) + "."]
    if resource.sort_keys:
        lines += ["Sorting: " + ", ".join(f"`{key}`" for key in resource.sort_keys) + "."]
    if resource.expands:
        lines += ["Expand: " + ", ".join(f"`{rel}`" for rel in resource.expands) + "."]
    table = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *([""] if lines[-1] else []), *table, *_rows(resource)])


def _rows(resource: Resource) -> Iterator[str]:
    for column in resource.schema.columns:
        # A top-level object becomes one column per field.
        fields = column.kind.fields if isinstance(column.kind, Struct) else (column,)
        for field in fields:
            name = field.name if field is column else f"{column.name}_{field.name}"
            yield f"| `{name}` | {_type(field.kind)} | {field.unit} | {field.about} |"


def _type(kind: Type) -> str:
    match kind:
        case ListOf(tuple()) | EmbeddedMany():
            return "list of objects"
        case ListOf(of):
            return f"list of {_type(of)}s"
        case Struct() | Embedded():
            return "object"
        case _:
            return _WORDS.get(kind, kind.value)


def with_addresses(text: str) -> str:
    """Return the page on credentials with the base URLs of all environments."""
    lines = ["| vendor | environment | base URL | further |", "|---|---|---|---|"]
    for kind in CLIENTS.values():
        for name, one in kind.environments.items():
            for country in kind.countries or (None,):
                where = f"{name}, {country}" if country else name
                further = ", ".join(f"`{url}`" for url in one.origins.values())
                lines.append(f"| {kind.label} | {where} | `{kind.url_of(one, country)}` | {further} |")
    table = "\n".join(lines)
    return re.sub(
        r"(<!-- addresses: .*?-->\n).*?(<!-- end of addresses -->)", rf"\1\n{table}\n\n\2", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    credentials = DOCS / "credentials.md"
    credentials.write_text(with_addresses(credentials.read_text(encoding="utf-8")), encoding="utf-8")
    for vendor in VENDORS:
        connected = vk.connect(vendor, environment="local")
        page_of(connected).write_text(rewritten(connected), encoding="utf-8")
