"""
Browsing a vendor's data, one address at a time; nothing here writes.

The addresses follow from the declared resources. For example, "/v4/brands/query?search=derm&page=1" is one page of a
query, and its parameters are filters. A vendor whose resources link to each other overrides some of these methods.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from vendorkit.ask import Ask, Filter, find_filter, snake_case
from vendorkit.errors import MalformedAnswer, SettingsError, UsageError
from vendorkit.frames import Page, page_of
from vendorkit.http.call import Call, require_writable
from vendorkit.pull import drive, run
from vendorkit.query import Query
from vendorkit.resource import Accept, Resource, Source, opening
from vendorkit.settings import Settings
from vendorkit.strictjson import strict_value
from vendorkit.vendors.bound import BoundResource

PER_PAGE: Final = 50  # records per shown page
_EXAMPLES: Final = {"integer": 10_000}  # for required filters; the user edits them


@dataclass(frozen=True)
class Address:
    """
    An address to browse; one whose call may write raises `NotAllowed`.

    Attributes:
        url: As shown and typed: a path if it is on the vendor's main host.
        call: The request for it; None for the list of the vendor's resources, which needs no request.
        resource: The declared resource at this address; None if none is declared.
        query: A query for the records of all pages; None if no query returns them.
        cursor: Where the page begins, as in `Paging.pages`; None for the first page.
        identifier: The id of the record, for the address of one record; None for a page of records.
    """

    url: str
    call: Call | None = None
    resource: Resource | None = field(default=None, repr=False)
    query: Query | None = field(default=None, repr=False)
    cursor: Any = None
    identifier: str | None = None

    def __post_init__(self) -> None:
        if self.call is not None:
            require_writable(self.call, writable=False)  # also if the client itself may write


@dataclass(frozen=True)
class Found:
    """
    The response of an address.

    Attributes:
        resource: The response as the vendor sent it. A single record is unwrapped, and has `links` if the vendor does.
        records: The records of a page; None for a single record.
        page: The records as a page, for a table; None if they are not objects.
        links: Name to URL.
        total: The number of records on all pages; None if the vendor does not announce it.
        before, after: The adjacent pages.
    """

    resource: Any
    records: list[Any] | None = field(default=None, repr=False)
    page: Page | None = field(default=None, repr=False)
    links: Mapping[str, str] = field(default_factory=dict, repr=False)
    total: int | None = None
    before: Address | None = None
    after: Address | None = None


@dataclass(eq=False)
class Browsing:
    """
    The addresses of one client.

    Args:
        client: The client that sends the requests.
        settings: Default values of filters.
    """

    start_url: ClassVar[str] = "/"
    client: Source
    settings: Settings

    def at(self, url: str, expand: Sequence[str] | None = None) -> Address:  # noqa: ARG002 - used by subclasses
        """
        Return the address of a path or an absolute URL of the vendor.

        Args:
            url: With or without parameters.
            expand: Links to embed; None for those that *url* names.

        Raises:
            OriginRefused: The URL leaves the vendor.
            UsageError: A parameter is not one of the resource's filters.
        """
        url = self.client.session.absolute(url)
        path, _, parameters = url.partition("?")
        if not urlsplit(path).path.strip("/"):
            return Address(self.start_url)
        for resource in self.client.declared.values():
            if resource.record_path and (found := self._match(resource.record_path, url)) is not None:
                return self._record(resource, found["id"])
            if (found := self._match(resource.path, path)) is not None:
                return self._filtered(resource, found, parse_qs(parameters, keep_blank_values=True))
        scheme = "default" if "default" in self.client.session.schemes else None
        return Address(self._short(url), Call("GET", url, scheme=scheme))

    def asked(self, method: str, url: str, body: Any) -> Query:
        """
        Return the query whose first request this probably is. The caller must compare the two.

        Raises:
            OriginRefused: The URL leaves the vendor.
            UsageError: No declared resource has this path, or a parameter is not one of its filters.
        """
        url = self.client.session.absolute(url)
        path = url.partition("?")[0]
        for resource in self.client.declared.values():
            found = self._match(resource.path, path)
            if found is not None and isinstance(body, dict):
                return self._query(resource, {**found, **resource.paging.arguments_of(body)})
            if found is not None and body is None and (query := self.at(url).query) is not None:
                return query
        what = f"{self.client.title} has no resource for {method[:10]} {urlsplit(path).path[:200]}."
        raise UsageError(what, remedy="Give a request that a query sends.")

    def page(self, query: Query, cursor: Any = None) -> Address:
        """Return the address of the page of *query* that begins at *cursor*."""
        call = opening(query.resource.paging.pages(_one_page(query.ask), cursor))
        return Address(self._url_of(query, call, cursor), call, query.resource, query, cursor)

    def read(self, address: Address) -> Found:
        """
        Send the request of *address* and read the response.

        Raises:
            VendorkitError: The request failed, or the response cannot be read.
        """
        if address.call is None:
            abouts = {name: resource.about for name, resource in self.client.declared.items()}
            return Found(abouts, [], links=self.entrances())
        if address.resource is None:
            return self._undeclared(address, address.call)
        if address.identifier is not None:
            ask = Ask(address.resource.name)
            page = run(address.resource.paging.get(ask, address.identifier), self.client)
            return self._single(page.records()[0], page)
        assert address.query is not None  # noqa: S101 - a page always has a query
        ask, received = _one_page(address.query.ask), list[Page]()
        flow = address.resource.paging_of(ask).pages(ask, address.cursor)
        with closing(drive(flow, self.client.fetch, received.append)) as accepts:
            accept = next(accepts, Accept(page_of([])))
        page = accept.page
        if self._is_record(address):
            return self._single(received[0].records()[0], page)
        cursors = address.resource.paging.adjacent(ask, address.cursor, accept)
        adjacent = [None if cursor is None else self.page(address.query, cursor) for cursor in cursors]
        return Found(_response(address, received, page), page.records(), page, {}, accept.total, *adjacent)

    def record_url(self, address: Address, record: Any) -> str | None:
        """Return the URL of one *record* of a page; None if it has none."""
        identifier = None if address.resource is None else _identifier(address.resource, record)
        if address.resource is None or identifier is None or not address.resource.record_path:
            return None
        return address.resource.record_path.format(id=quote(identifier, safe=""))

    def references(self, record: Any) -> dict[str, str]:
        """Return name to URL of the records that *record* refers to; by default those that it embeds."""
        urls = {}
        for key, value in record.items() if isinstance(record, Mapping) else ():
            resource = self.client.declared.get(snake_case(key))
            for item in value if isinstance(value, list) else [value]:
                if resource is not None and (url := self.record_url(Address("", resource=resource), item)):
                    urls[f"{resource.name} {_identifier(resource, item)}"] = url
        return urls

    def entrances(self) -> dict[str, str]:
        """Return the URLs of the declared resources, with example values for required filters."""
        urls, today = {}, datetime.now(timezone.utc).date().isoformat()
        for name, resource in self.client.declared.items():
            required = {known.name: _EXAMPLES.get(known.kind, today) for known in resource.filters if known.required}
            with suppress(SettingsError, UsageError):  # it cannot be listed by its required filters alone
                urls[name] = self.page(self._query(resource, required)).url
        return urls

    def _query(self, resource: Resource, filters: dict[str, Any]) -> Query:
        return BoundResource(self.client, self.settings, resource).query(**filters)

    def _single(self, record: Any, page: Page | None) -> Found:
        return Found(record, page=page, links=self.references(record))

    def _is_record(self, address: Address) -> bool:
        return address.identifier is not None

    def _url_of(self, query: Query, call: Call, cursor: Any) -> str:
        path, filters = self._short(call.url), query.filters.items()
        parameters = {name: _to_texts(value) for name, value in filters if f"{{{name}}}" not in query.resource.path}
        parameters |= {"page": _to_texts(cursor)} if cursor else {}
        return f"{path}?{urlencode(parameters, doseq=True, safe=',')}" if parameters else path

    def _short(self, url: str) -> str:
        return url.removeprefix(self.client.base_url)

    def _match(self, template: str, url: str) -> dict[str, str] | None:
        """Return the values in *url* of the names in *template*; None if it does not match."""
        pattern = re.escape(self.client.session.absolute(template))
        match = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/?&]+)", pattern), url)
        return None if match is None else {name: unquote(text) for name, text in match.groupdict().items()}

    def _record(self, resource: Resource, identifier: str) -> Address:
        call = opening(resource.paging.get(Ask(resource.name), identifier))
        url = resource.record_path.format(id=quote(identifier, safe=""))
        key = resource.schema.key
        by_key = any(known.name == key for known in resource.filters)
        query = self._query(resource, {key: identifier}) if by_key else None
        return Address(url, call, resource, query, identifier=identifier)

    def _filtered(self, resource: Resource, filters: dict[str, Any], parameters: dict[str, list[str]]) -> Address:
        number = "".join(parameters.pop("page", ["0"]))
        if not number.isdecimal():
            what = f"page={number[:20]!r} is not a page number."
            raise UsageError(what, remedy="Give a number, or leave it out for the first page.")
        for name, texts in parameters.items():
            declared = find_filter(resource.filters, name, resource.name)
            filters[declared.name] = _from_texts(declared, texts)
        return self.page(self._query(resource, filters), int(number) or None)

    def _undeclared(self, address: Address, call: Call) -> Found:
        body, answer = self.client.session.send(call).content, None
        with suppress(ValueError):
            answer = strict_value(body)
        if not isinstance(answer, (dict, list)):
            what = f"{self.client.title}: the response of {address.url} is not a JSON object or list."
            raise MalformedAnswer(what, remedy="Use client.get(path) to see the raw response.")
        rows = answer if isinstance(answer, list) else [answer]
        page = page_of(rows) if all(isinstance(row, dict) for row in rows) else None
        return self._single(answer, page) if isinstance(answer, dict) else Found(answer, rows, page)


def _one_page(ask: Ask) -> Ask:
    return replace(ask, accept="json", limit=PER_PAGE)


def _response(address: Address, received: Sequence[Page], page: Page) -> Any:
    """Return the response of a page of records as the vendor sent it."""
    name = None if address.call is None else address.call.records
    if name is not None:
        return {**page.envelope, name: page.records()}
    # If the records were computed from one object, that object is the response.
    return received[0].records()[0] if received and received[0] is not page else page.records()


def _identifier(resource: Resource, record: Any) -> str | None:
    key = next((column.wire for column in resource.schema.columns if column.name == resource.schema.key), "")
    value = record.get(key) if isinstance(record, Mapping) else None
    return None if value is None else str(value)


def _from_texts(declared: Filter, texts: Sequence[str]) -> Any:
    if declared.kind == "object":
        return declared.from_json(texts[0])
    if declared.many and texts == [""]:
        return []  # an empty list, which matches nothing
    values = [text if declared.kind in ("text", "code", "date") else _plain(text) for text in texts]
    return values if len(values) > 1 else values[0]


def _plain(text: str) -> Any:
    try:
        value = strict_value(text)
    except ValueError:
        return text  # such as 2026-01-31; the filter checks it
    return text if value is None else value  # None would mean no filter


def _to_texts(value: Any) -> list[str]:
    values = (value or [""]) if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in values]
