"""Looking at a place of a vendor: one reading call, and its answer as fields, links and records. No widget."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd
from lxml import etree

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Drift, JsonReader, Kind, Page, Schema, to_frame
from vendorkit.panels.browse.places import Place, entrances, neighbour, references
from vendorkit.query import Query
from vendorkit.vendors.client import Client
from vendorkit.vendors.mediagenix.client import Entity, Mediagenix

_UNDECLARED: Final = Schema("resource", (Column("id", Kind.ID),))  # all other fields are appended
_LISTS: Final = ("entries", "results")  # where Mediagenix and Medipim put the records of an answer


@dataclass(frozen=True)
class Visit:
    """
    What was found at a place.

    Attributes:
        place: Where.
        resource: The answer as the vendor sent it; one record without its wrapping; Mediagenix's with `links`.
        records: The records of a collection, as the vendor sent them; None where the answer is one record.
        frame: The record or the records as a table, typed as declared.
        drift: What of that was not declared.
        links: Name to address.
        total: How many records there are in all, where the vendor says so.
        before, after: The pages beside this one.
        xml: The answer in XML, indented, once it was asked for.
        milliseconds: How long it took, authentication included; None where nothing was sent.
    """

    place: Place
    resource: Any = field(repr=False)
    records: list[dict[str, Any]] | None = field(default=None, repr=False)
    frame: pd.DataFrame | None = field(default=None, repr=False)
    drift: Drift = field(default_factory=Drift, repr=False)
    links: Mapping[str, str] = field(default_factory=dict, repr=False)
    total: int | None = None
    before: Place | None = field(default=None, repr=False)
    after: Place | None = field(default=None, repr=False)
    xml: str | None = field(default=None, repr=False)
    milliseconds: float | None = None

    @property
    def title(self) -> str:
        """What this is, in a few words."""
        if self.place.call is None:
            return "resources"
        query = self.place.query
        known = query.resource.name if query is not None else self.place.address
        if self.records is not None or not isinstance(self.resource, Mapping):
            return known
        kind = self.resource.get("resource_type") or known
        names = (self.resource.get(key) for key in ("id", "uid", "name"))
        return " ".join([str(kind), *(str(name) for name in names if isinstance(name, (str, int)))])


def visit_place(client: Client, place: Place) -> Visit:
    """
    Send the one call of *place* and read its answer.

    Raises:
        VendorkitError: What went wrong.
    """
    if place.call is None:
        frame = client.resources.reset_index()
        listed = {name: resource.about for name, resource in client.declared.items()}
        return Visit(place, listed, [], frame, links=entrances(client))
    started = time.perf_counter()
    body = client.session.send(place.call).content
    milliseconds = (time.perf_counter() - started) * 1000
    visit = _read(client, place, body)
    return replace(visit, milliseconds=milliseconds)


def with_xml(client: Client, visit: Visit) -> Visit:
    """
    Return *visit* with its answer in XML, which is asked for anew.

    Raises:
        MalformedAnswer: It is no XML.
    """
    call = visit.place.call
    if call is None:
        return visit
    answer = client.session.send(replace(call, accept="xml"))
    return replace(visit, xml=_indented(answer.content))


def _indented(body: bytes) -> str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        root = None
    if root is None:
        what = "The answer is not XML."
        raise MalformedAnswer(what, remedy="Look at it as JSON.")
    return etree.tostring(root, pretty_print=True, encoding="unicode")


def _read(client: Client, place: Place, body: bytes) -> Visit:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, (dict, list)):
        what = f"{client.title}: {place.address} was answered with something else than JSON."
        raise MalformedAnswer(what, remedy="Use client.get(path) to see the answer as it is.")
    if place.found and isinstance(answer, dict) and len(answer) == 1:
        (answer,) = answer.values()
    records, around = _records(place, answer, body)
    page = _page(place, answer, records, body)
    visit = Visit(place, answer, records)
    if page is not None:
        visit = replace(visit, frame=_described(client, place, to_frame(page.table)), drift=page.drift)
    if records is not None:
        before, after, total = _around(around)
        return replace(
            visit, total=total, before=neighbour(client, place, before), after=neighbour(client, place, after)
        )
    entity = Entity(client, answer) if isinstance(client, Mediagenix) else answer
    return replace(visit, resource=entity, links=references(client, answer))


def _records(place: Place, answer: Any, body: bytes) -> tuple[list[dict[str, Any]] | None, Mapping[str, Any]]:
    """Return the records of a collection and what stands around them."""
    if isinstance(answer, list):
        return answer, {}
    for key in _LISTS:
        if isinstance(answer.get(key), list):
            return answer[key], {name: value for name, value in answer.items() if name != key}
    query = place.query
    if query is not None and place.call is not None and place.call.method == "POST":
        # Pledg's simulations: objects of a shape of their own, whose rows their style knows.
        read = query.resource.style.record_reader(query).read(body)
        return read.records, read.envelope
    return None, {}


def _page(place: Place, answer: Any, records: list[dict[str, Any]] | None, body: bytes) -> Page | None:
    """Return the records under the declared schema; None where they are of quite another shape."""
    try:
        if place.query is None or place.found:
            schema = _UNDECLARED if place.query is None else place.query.schema
            return JsonReader(schema, records=None).read(json.dumps(answer if records is None else records).encode())
        query = replace(place.query, accept="json")
        return query.resource.style.reader(query, query.schema).read(body)
    except MalformedAnswer:
        return None


def _around(envelope: Mapping[str, Any]) -> tuple[str | int | None, str | int | None, int | None]:
    """Return the pages before and after, as links or as numbers, and the total."""
    meta = envelope.get("meta")
    if not isinstance(meta, Mapping):
        told = str(envelope.get("total_entries"))
        return envelope.get("prev_link"), envelope.get("next_link"), int(told) if told.isdecimal() else None
    page, total = meta.get("page") or {}, meta.get("total")
    number, size = page.get("no"), page.get("size")
    if not isinstance(number, int) or not isinstance(size, int) or not isinstance(total, int):
        return None, None, total
    return number - 1 if number > 0 else None, number + 1 if (number + 1) * size < total else None, total


def _described(client: Client, place: Place, frame: pd.DataFrame) -> pd.DataFrame:
    query: Query | None = place.query
    request = {"address": place.address} if query is None else query.describe()
    frame.attrs["vendorkit"] = {
        "vendor": client.vendor_name,
        "environment": client.environment,
        "request": request,
        "page_at": place.address,
    }
    return frame
