"""
What people can look at of a vendor, one address after another; nothing here writes.

The declared resources make the addresses: "/v4/brands/query?search=derm&page=1" is one page of a query, its parameters
are filters. A vendor whose resources link to each other overrides some of these methods.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Final
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

PER_PAGE: Final = 50  # rows that are read at a glance
_EXAMPLES: Final = {"integer": 10_000}  # for required filters; the user edits them


@dataclass(frozen=True)
class Address:
    """
    An address that can be looked at; one that would write is refused with `NotAllowed`.

    Attributes:
        url: As it is shown and typed: a path if it is on the vendor's main host.
        call: The request for it; None for the list of the vendor's resources, which needs none.
        resource: The declared resource that is there; None if there is none.
        query: A query for all that is there, all pages included; None if a query cannot express it.
        cursor: Where the page begins, as in `Paging.pages`; None for the first page.
        identifier: The id of the one record that is there; None for a page of records.
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
        resource: As the vendor sent it; a single record without its wrapping, and with `links` if the vendor has links.
        records: The records of a page; None if there is one record.
        page: The records, to be read as a table; None if they are not objects.
        links: Name to URL.
        total: The number of records on all pages; None if the vendor does not say.
        before, after: The adjacent pages.
    """

    resource: Any
    records: list[Any] | None = field(default=None, repr=False)
    page: Page | None = field(default=None, repr=False)
    links: Mapping[str, str] = field(default_factory=dict, repr=False)
    total: int | None = None
    before: Address | None = None
    after: Address | None = None


class Browsing:
    """
    The addresses of one client.

    Args:
        client: Sends the requests.
        settings: Give filters their default values.
        resources: The declared resources.
    """

    start_url = "/"

    def __init__(self, client: Source, settings: Settings, resources: Mapping[str, Resource]) -> None:
        self._client, self._settings, self._resources = client, settings, resources

    def at(self, url: str, expand: Sequence[str] | None = None) -> Address:  # noqa: ARG002 - nothing here expands
        """
        Return the address that a path or an absolute URL of the vendor leads to.

        Args:
            url: With or without parameters.
            expand: Links to embed; None for those that *url* names.

        Raises:
            OriginRefused: The URL leaves the vendor.
            UsageError: A parameter is not one of the resource's filters.
        """
        url = self._client.session.absolute(url)
        path, _, parameters = url.partition("?")
        if not urlsplit(path).path.strip("/"):
            return Address(self.start_url)
        for resource in self._resources.values():
            if resource.record_path and (found := self._match(resource.record_path, url)) is not None:
                return self._record(resource, found["id"])
            if (found := self._match(resource.path, path)) is not None:
                return self._filtered(resource, found, parse_qs(parameters, keep_blank_values=True))
        scheme = "default" if "default" in self._client.session.schemes else None
        return Address(self._short(url), Call("GET", url, scheme=scheme))

    def asked(self, method: str, url: str, body: Any) -> Query:
        """
        Return the query whose first request this seems to be; the caller compares the two.

        Raises:
            OriginRefused: The URL leaves the vendor.
            UsageError: No declared resource is there, or a value is not one of its filters.
        """
        url = self._client.session.absolute(url)
        path = url.partition("?")[0]
        for resource in self._resources.values():
            found = self._match(resource.path, path)
            if found is not None and isinstance(body, dict):
                return self._query(resource, {**found, **resource.paging.arguments_of(body)})
            if found is not None and body is None and (query := self.at(url).query) is not None:
                return query
        what = f"{self._client.title} has no resource for {method[:10]} {urlsplit(path).path[:200]}."
        raise UsageError(what, remedy="Give a request that a query sends.")

    def page(self, query: Query, cursor: Any = None) -> Address:
        """Return the address of the page of *query* that begins at *cursor*."""
        call = opening(query.resource.paging.pages(_shown(query.ask), cursor))
        return Address(self._url_of(query, call, cursor), call, query.resource, query, cursor)

    def read(self, address: Address) -> Found:
        """
        Send the request of *address* and read the response.

        Raises:
            VendorkitError: What went wrong.
        """
        if address.call is None:
            listed = {name: resource.about for name, resource in self._resources.items()}
            return Found(listed, [], links=self.entrances())
        if address.resource is None:
            return self._undeclared(address, address.call)
        if address.identifier is not None:
            ask = Ask(address.resource.name)
            page = run(address.resource.paging.get(ask, address.identifier), self._client)
            return self._one(page.records()[0], page)
        assert address.query is not None  # noqa: S101 - a page is always that of a query
        ask, sent = _shown(address.query.ask), list[Page]()
        flow = address.resource.paging_of(ask).pages(ask, address.cursor)
        with closing(drive(flow, self._client.fetch, sent.append)) as accepted:
            one = next(accepted, Accept(page_of([])))
        if self._is_record(address):
            return self._one(sent[0].records()[0], one.page)
        before, after = address.resource.paging.adjacent(ask, address.cursor, one)
        adjacent = [None if cursor is None else self.page(address.query, cursor) for cursor in (before, after)]
        return Found(_response(address, sent, one.page), one.page.records(), one.page, {}, one.total, *adjacent)

    def record_url(self, address: Address, record: Any) -> str | None:
        """Return the URL of one *record* of a page; None if records have none."""
        identifier = None if address.resource is None else _identifier(address.resource, record)
        if address.resource is None or identifier is None or not address.resource.record_path:
            return None
        return address.resource.record_path.format(id=quote(identifier, safe=""))

    def references(self, record: Any) -> dict[str, str]:
        """Return name to URL of what *record* refers to: here, records of other resources inside it."""
        found = {}
        for key, value in record.items() if isinstance(record, Mapping) else ():
            resource = self._resources.get(snake_case(key))
            for item in value if isinstance(value, list) else [value]:
                if resource is not None and (url := self.record_url(Address("", resource=resource), item)):
                    found[f"{resource.name} {_identifier(resource, item)}"] = url
        return found

    def entrances(self) -> dict[str, str]:
        """Return the URLs of the declared resources, with example values for required filters."""
        found, today = {}, datetime.now(timezone.utc).date().isoformat()
        for name, resource in self._resources.items():
            required = {one.name: _EXAMPLES.get(one.kind, today) for one in resource.filters if one.required}
            with suppress(SettingsError, UsageError):  # it can only be listed with more than that
                found[name] = self.page(self._query(resource, required)).url
        return found

    def _query(self, resource: Resource, filters: dict[str, Any]) -> Query:
        return BoundResource(self._client, self._settings, resource).query(**filters)

    def _one(self, record: Any, page: Page | None) -> Found:
        return Found(self._entity(record), page=page, links=self.references(record))

    def _entity(self, record: Any) -> Any:
        return record

    def _is_record(self, address: Address) -> bool:
        return address.identifier is not None

    def _url_of(self, query: Query, call: Call, cursor: Any) -> str:
        path, given = self._short(call.url), query.filters.items()
        parameters = {name: _to_texts(value) for name, value in given if f"{{{name}}}" not in query.resource.path}
        parameters |= {"page": _to_texts(cursor)} if cursor else {}
        return f"{path}?{urlencode(parameters, doseq=True, safe=',')}" if parameters else path

    def _short(self, url: str) -> str:
        return url.removeprefix(self._client.base_url)

    def _match(self, template: str, url: str) -> dict[str, str] | None:
        """Return the values that *url* has in place of the names in *template*; None if it does not match."""
        pattern = re.escape(self._client.session.absolute(template))
        found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/?&]+)", pattern), url)
        return None if found is None else {name: unquote(text) for name, text in found.groupdict().items()}

    def _record(self, resource: Resource, identifier: str) -> Address:
        call = opening(resource.paging.get(Ask(resource.name), identifier))
        url = resource.record_path.format(id=quote(identifier, safe=""))
        key = resource.schema.key
        by_key = any(one.name == key for one in resource.filters)
        query = self._query(resource, {key: identifier}) if by_key else None
        return Address(url, call, resource, query, identifier=identifier)

    def _filtered(self, resource: Resource, filters: dict[str, Any], given: dict[str, list[str]]) -> Address:
        number = "".join(given.pop("page", ["0"]))
        if not number.isdecimal():
            what = f"page={number[:20]!r} is not the number of a page."
            raise UsageError(what, remedy="Give a number, or leave it out for the first page.")
        for name, texts in given.items():
            declared = find_filter(resource.filters, name, resource.name)
            filters[declared.name] = _from_texts(declared, texts)
        return self.page(self._query(resource, filters), int(number) or None)

    def _undeclared(self, address: Address, call: Call) -> Found:
        try:
            answer = strict_value(self._client.session.send(call).content)
        except ValueError:
            answer = None
        if not isinstance(answer, (dict, list)):
            what = f"{self._client.title}: the response of {address.url} is not a JSON object or list."
            raise MalformedAnswer(what, remedy="Use client.get(path) to see the response as it is.")
        rows = answer if isinstance(answer, list) else [answer]
        page = page_of(rows) if all(isinstance(row, dict) for row in rows) else None
        return self._one(answer, page) if isinstance(answer, dict) else Found(answer, rows, page)


def _shown(ask: Ask) -> Ask:
    """Return the question for one page of *ask* to look at."""
    return replace(ask, accept="json", limit=PER_PAGE)


def _response(address: Address, sent: Sequence[Page], page: Page) -> Any:
    """Return the response of a page of records as the vendor sent it."""
    name = None if address.call is None else address.call.records
    if name is not None:
        return {**page.envelope, name: page.records()}
    # Records that were computed from one object: that object.
    return sent[0].records()[0] if sent and sent[0] is not page else page.records()


def _identifier(resource: Resource, record: Any) -> str | None:
    key = next((column.wire for column in resource.schema.columns if column.name == resource.schema.key), "")
    value = record.get(key) if isinstance(record, Mapping) else None
    return None if value is None else str(value)


def _from_texts(declared: Filter, texts: Sequence[str]) -> Any:
    if declared.kind == "object":
        return declared.from_json(texts[0])
    if declared.many and texts == [""]:
        return []  # any of no values: nothing matches
    values = [text if declared.kind in ("text", "code", "date") else _plain(text) for text in texts]
    return values if len(values) > 1 else values[0]


def _plain(text: str) -> Any:
    try:
        value = strict_value(text)
    except ValueError:
        return text  # a time such as 2026-01-31; the filter refuses others
    return text if value is None else value  # None would leave the filter out


def _to_texts(value: Any) -> list[str]:
    values = (value or [""]) if isinstance(value, list) else [value]
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in values]
