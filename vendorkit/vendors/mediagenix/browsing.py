"""Browsing Mediagenix, whose resources link to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from vendorkit.frames import Page
from vendorkit.http.call import Call
from vendorkit.query import Query
from vendorkit.vendors.browsing import Address, Browsing, Found

_PAGING: Final = {"page", "per_page", "pagination"}


@dataclass(eq=False)
class Hypermedia(Browsing):
    """
    The addresses of a Mediagenix client.

    Args:
        client, settings: As in `Browsing`.
        follow: Returns a query for any URL of the vendor.
        entity: Returns a record with its links.
    """

    start_url: ClassVar[str] = "/api"
    follow: Callable[..., Query]
    entity: Callable[[Mapping[str, Any]], Any]

    def at(self, url: str, expand: Sequence[str] | None = None) -> Address:
        """Return the address of *url*; *expand* replaces the links that *url* expands."""
        return self.page(self.follow(url, expand=expand))

    def asked(self, method: str, url: str, body: Any) -> Query:
        """Return the query whose first request this probably is: of a collection, or of one below a parent."""
        path, _, text = self.client.session.absolute(url).partition("?")
        parameters = parse_qsl(text, keep_blank_values=True)
        filters: dict[str, Any] = {name: value for name, value in parameters if name not in _PAGING}
        expand = filters.pop("expand", "")
        for resource in self.client.declared.values():
            for template in (resource.path, *getattr(resource.paging, "parents", {}).values()):
                parent = self._match(template, path)
                if parent is not None and body is None:
                    return self._query(resource, {**filters, **parent, "expand": expand.split(",") if expand else ()})
        return super().asked(method, url, body)

    def record_url(self, address: Address, record: Any) -> str | None:  # noqa: ARG002 - the record has the link
        """Return the link of *record* to itself; None if it has none."""
        link = record.get("self_link") if isinstance(record, Mapping) else None
        return str(link) if link else None

    def references(self, record: Any) -> dict[str, str]:
        """Return the links of *record* by rel."""
        return {rel: link.href for rel, link in self.entity(record).links.items() if rel != "self"}

    def _single(self, record: Any, page: Page | None) -> Found:
        return super()._single(self.entity(record), page)

    def _is_record(self, address: Address) -> bool:
        return address.call is not None and address.call.records is None

    def _url_of(self, query: Query, call: Call, cursor: Any) -> str:  # noqa: ARG002 - the link includes the parameters
        return self._short(str(self.client.session.prepare(call).url).replace("%2C", ","))
