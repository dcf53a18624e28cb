"""The response of one address, prepared for display. No widgets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Drift, Kind, Page, Schema, to_frame
from vendorkit.panels.markup import pretty
from vendorkit.vendors.browsing import Address, Found
from vendorkit.vendors.client import Client

_UNDECLARED: Final = Schema("resource", (Column("id", Kind.ID),))  # all other fields are appended


@dataclass(frozen=True, kw_only=True)
class Response(Found):
    """
    The response of an address, with its table.

    Attributes:
        address: The address of the response.
        frame: The record or the page as a table with the declared types; None if it has no tabular form.
        drift: The undeclared fields, and the values that do not fit their declared type.
        xml: The response in XML, indented; None until it is fetched.
        milliseconds: How long it took, authentication included; None if nothing was sent.
    """

    address: Address
    frame: pd.DataFrame | None = field(default=None, repr=False)
    drift: Drift = field(default_factory=Drift, repr=False)
    xml: str | None = field(default=None, repr=False)
    milliseconds: float | None = None

    @property
    def title(self) -> str:
        """A short title: the kind of resource, and its id or name."""
        if self.address.call is None:
            return "resources"
        declared = self.address.resource
        known = self.address.url if declared is None else declared.name
        if self.records is not None or not isinstance(self.resource, Mapping):
            return known
        kind = self.resource.get("resource_type") or known
        names = (self.resource.get(key) for key in ("id", "uid", "name"))
        return " ".join([str(kind), *(str(name) for name in names if isinstance(name, (str, int)))])


def fetch(client: Client, address: Address) -> Response:
    """
    Send the request of *address* and return the response.

    Raises:
        VendorkitError: The request failed.
    """
    started = time.perf_counter()
    found = client.browsing.read(address)
    milliseconds = (time.perf_counter() - started) * 1000
    if address.call is None:
        return Response(**vars(found), address=address, frame=client.resources.reset_index())
    frame, drift = _table(client, address, found.page)
    return Response(**vars(found), address=address, frame=frame, drift=drift, milliseconds=milliseconds)


def with_xml(client: Client, response: Response) -> Response:
    """Return *response* with its XML, which is fetched from the same address."""
    call = response.address.call
    if call is None:
        return response
    answer = client.session.send(replace(call, accept="xml"))
    return replace(response, xml=pretty(answer.content.decode("utf-8", "replace")))


def _table(client: Client, address: Address, page: Page | None) -> tuple[pd.DataFrame | None, Drift]:
    """Return the records as a table, or None if they do not have the declared shape."""
    query = address.query
    schema = _UNDECLARED if address.resource is None else address.resource.schema if query is None else query.schema
    batch = None
    with suppress(MalformedAnswer):
        batch = None if page is None else page.table(schema)
    if batch is None:
        return None, Drift()
    frame = to_frame(batch.table)
    frame.attrs["vendorkit"] = {
        "vendor": client.vendor_name,
        "environment": client.environment,
        "request": {"address": address.url} if query is None else query.describe(),
        "page_at": address.url,
    }
    return frame, batch.drift
