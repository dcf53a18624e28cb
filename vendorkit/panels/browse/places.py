"""
Where one can look at a vendor: addresses, and the reading calls they stand for. Plain values; nothing here is sent.

Mediagenix's resources link to each other. Medipim and Pledg have no such root, so that their declared resources make
one: an address such as "/v4/brands/query?search=derm&page=1" stands for a query by POST, its parameters for filters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from vendorkit.ask import Filter, find_filter, snake_case
from vendorkit.errors import UsageError
from vendorkit.http.call import Call, require_writable
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client
from vendorkit.vendors.mediagenix.client import Mediagenix

PER_PAGE: Final = 50  # of the sizes that each vendor has, the one that is read at a glance
HOME: Final = "/"
_EXAMPLES: Final = {"integer": "10000"}  # for required filters: something that can be sent, to be changed by hand


@dataclass(frozen=True)
class Place:
    """
    An address that can be looked at.

    Attributes:
        address: As it is shown and typed: without the origin where it is the vendor's first one.
        call: What is sent; None for the list of a vendor's resources, for which nothing is.
        query: All that the address stands for, every page of it; None where no declared resource lies there.
        found: The answer holds one record, under a key.
    """

    address: str
    call: Call | None = None
    query: Query | None = field(default=None, repr=False)
    found: bool = False


def home(client: Client) -> Place:
    """Return where browsing starts: Mediagenix's root, or the list of a vendor's resources."""
    return place_at(client, "/api") if isinstance(client, Mediagenix) else Place(HOME)


def place_at(client: Client, address: str, expand: Sequence[str] | None = None) -> Place:
    """
    Return the place at *address*, a path or an absolute URL of the vendor.

    Args:
        client: The vendor.
        address: With or without parameters.
        expand: Links to embed; None for those that the address names.

    Raises:
        OriginRefused: The address leaves the vendor.
        UsageError: A parameter is not one of the resource's filters.
    """
    url = client.session.absolute(address)
    parts = urlsplit(url)
    asked = parse_qs(parts.query, keep_blank_values=True)
    if isinstance(client, Mediagenix):
        return _linked(client, url, asked, expand)
    if parts.path.strip("/") == "":
        return Place(HOME)
    for resource in client.declared.values():
        if (query := _query_at(client, resource, parts.path, asked)) is not None:
            return _found(client, query, url) if parts.path == _find_path(resource) else _paged(client, query, asked)
    scheme = "default" if "default" in client.session.schemes else None
    return _reading(client, Call("GET", url, scheme=scheme), None)


def place_of(query: Query, number: int = 0) -> Place:
    """Return the place that shows page *number* of *query*, however it was made."""
    if isinstance(query.client, Mediagenix):
        return _reading(query.client, _one_page(query), query)
    return _paged(query.client, query, {"page": [str(number)]})


def neighbour(client: Client, place: Place, link: str | int | None) -> Place | None:
    """Return the place that *link*, the vendor's own or a page's number, leads to; its query stays the whole one."""
    if link is None or place.query is None:
        return None
    beside = place_of(place.query, link) if isinstance(link, int) else place_at(client, link)
    return replace(beside, query=place.query)


def record_address(client: Client, place: Place, record: Any) -> str | None:
    """Return where one *record* of a collection can be looked at alone; None where it cannot."""
    if not isinstance(record, Mapping):
        return None
    if isinstance(client, Mediagenix):
        return str(record["self_link"]) if record.get("self_link") else None
    if place.query is None or record.get("id") is None:
        return None
    return _address_by_id(place.query.resource, record["id"])


def references(client: Client, record: Mapping[str, Any]) -> dict[str, str]:
    """Return the links of *record*: those that it has, and records of other resources that stand in it by their id."""
    if isinstance(client, Mediagenix):
        links = {key.removesuffix("_link"): href for key, href in record.items() if key.endswith("_link")}
        return {rel: str(href) for rel, href in links.items() if href and rel != "self"}
    found = {}
    for key, value in record.items():
        resource = client.declared.get(snake_case(key))
        for item in value if isinstance(value, list) else [value]:
            if resource is not None and isinstance(item, dict) and item.get("id") is not None:
                found[f"{snake_case(key)} {item['id']}"] = _address_by_id(resource, item["id"])
    return found


def entrances(client: Client) -> dict[str, str]:
    """Return the addresses of a vendor's declared resources, with an example where one needs parameters."""
    found = {}
    for name, resource in client.declared.items():
        required = {one.wire: [_EXAMPLES.get(one.kind, _today())] for one in resource.filters if one.required}
        identifier, setting = getattr(resource.style, "identifier", ""), getattr(resource.style, "setting", "")
        uid = client.settings.get(setting) if setting else ""
        if not identifier or uid:
            found[name] = _with_parameters(resource.path.format(uid), required)
    return found


def _linked(client: Mediagenix, url: str, asked: Mapping[str, list[str]], expand: Sequence[str] | None) -> Place:
    # The rels are taken out of the address, so that those that are ticked replace them.
    named = [rel for given in asked.get("expand", []) for rel in given.split(",") if rel]
    rest = {name: values for name, values in asked.items() if name != "expand"}
    bare = urlunsplit(urlsplit(url)._replace(query=urlencode(rest, doseq=True, safe=","), fragment=""))
    query = client.follow(bare, expand=tuple(named if expand is None else expand))
    call = _one_page(query)
    return _reading(client, replace(call, params={n: v for n, v in call.params.items() if n not in rest}), query)


def _one_page(query: Query) -> Call:
    """Return the first call of a hypermedia query, in JSON and with a page's size to look at."""
    call = query.resource.style.first_call(replace(query, accept="json"))
    return replace(call, params={n: PER_PAGE if n == "per_page" else v for n, v in call.params.items()})


def _query_at(client: Client, resource: Resource, path: str, asked: Mapping[str, list[str]]) -> Query | None:
    """Return the query of *resource* that *path* stands for, with the parameters as filters; None for another path."""
    at = re.fullmatch(re.escape(resource.path).replace(r"\{\}", "([^/]+)"), path)
    if at is None and path != _find_path(resource):
        return None
    given = {name: values for name, values in asked.items() if name != "page"}
    filters = {}
    for name, values in given.items():
        declared = find_filter(resource.filters, name, resource.name)
        filters[declared.name] = _from_text(declared, values)
    if at is not None and at.groups():
        filters[getattr(resource.style, "identifier", "")] = at[1]
    query: Query = getattr(client, resource.name).query(**filters)
    return query


def _paged(client: Client, query: Query, asked: Mapping[str, list[str]]) -> Place:
    """Return the place of one page of a query by POST, or of an answer that has no pages."""
    call, number = query.resource.style.first_call(query), "".join(asked.get("page", ["0"]))
    if not number.isdecimal():
        what = f"page={number[:20]!r} is not the number of a page."
        raise UsageError(what, remedy="Give 0 for the first page, 1 for the second.")
    identifier = getattr(query.resource.style, "identifier", None)
    filters = {name: value for name, value in query.filters.items() if name != identifier}
    if identifier is None:  # Medipim: every query takes a page
        call = replace(call, json={**call.json, "page": {"no": int(number), "size": PER_PAGE}})
        filters |= {"page": int(number)} if int(number) else {}
    address = _with_parameters(urlsplit(call.url).path, {n: _to_texts(v) for n, v in filters.items()})
    return replace(_reading(client, call, query), address=address)


def _found(client: Client, query: Query, url: str) -> Place:
    return replace(_reading(client, Call("GET", url), query), found=True)


def _reading(client: Client, call: Call, query: Query | None) -> Place:
    require_writable(call, writable=False)  # whatever the client may do, looking changes nothing
    url = client.session.prepare(call).url or ""
    return Place(url.removeprefix(client.endpoint.base_url).replace("%2C", ","), call, query)


def _find_path(resource: Resource) -> str | None:
    return getattr(resource.style, "find_path", None)


def _address_by_id(resource: Resource, identifier: Any) -> str:
    return _with_parameters(_find_path(resource) or resource.path, {"id": [str(identifier)]})


def _with_parameters(path: str, parameters: Mapping[str, list[str]]) -> str:
    return f"{path}?{urlencode(parameters, doseq=True, safe=',')}" if parameters else path


def _from_text(declared: Filter, texts: list[str]) -> Any:
    if declared.kind == "boolean":
        return {"true": True, "false": False}.get(texts[0], texts[0])
    if declared.kind == "object":
        return declared.from_json(texts[0])
    return texts if len(texts) > 1 else texts[0]


def _to_texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in values]


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
