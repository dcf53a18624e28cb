"""Medipim's small resources, whose query gives all records at once, and how its queries are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from vendorkit.errors import MalformedAnswer, NotFound
from vendorkit.frames import JsonReader, Page, Schema
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call
from vendorkit.pages import Each, Reader, Records, announced, read_records
from vendorkit.query import Query
from vendorkit.resource import OneAnswer, Resource
from vendorkit.vendors.client import Client

PAGE_SIZES: Final = (10, 50, 100, 250)


def body_of(query: Query) -> dict[str, Any]:
    """Return filter and sorting as the vendor wants them: objects with one key each."""
    parts = [{name: value} for name, value in query.filters.items()]
    parts += [dict(query.where)] if query.where else []
    # No document says whether the bound itself is included, so that the second before it is asked for.
    parts += [{"updatedSince": query.since.at - 1}] if query.since else []
    body: dict[str, Any] = {}
    if len(parts) > 1:
        body["filter"] = {"and": parts}
    elif parts:
        body["filter"] = parts[0]
    sort = query.sort or ("id" if query.resource.sort_keys else None)
    if sort:
        key, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
        # Only products are sorted by the name in one locale.
        localised = key == "name" and query.resource.name == "products"
        body["sorting"] = {key: {"direction": direction, "locale": query.schema.locales[0]} if localised else direction}
    return body


class Lookup(OneAnswer):
    """A small resource whose query gives all records at once when no page is asked for."""

    find_path: str | None = None
    roots: tuple[str, ...] = ()

    def __init__(self, find_path: str | None = None, roots: tuple[str, ...] = ()) -> None:
        self.find_path, self.roots = find_path, roots

    def first_call(self, query: Query) -> Call:
        """POST …/query without a page."""
        return Call("POST", query.resource.path, json=body_of(query), repeatable=True)

    def total(self, envelope: Mapping[str, Any]) -> int | None:
        """Return `meta.total`."""
        meta = envelope.get("meta")
        return announced(meta.get("total")) if isinstance(meta, dict) else None

    def count(self, query: Query) -> int | None:
        """Ask for the smallest page and read its total."""
        call = self.first_call(query)
        call = replace(call, json={**call.json, "page": {"no": 0, "size": PAGE_SIZES[0]}})
        return self.total(object_of(query.client.session.send(call).content, query.client, query.resource))

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:  # noqa: ARG002
        """Read `results` of a JSON answer."""
        return JsonReader(schema, records="results")

    def record_reader(self, query: Query) -> Reader[Records]:
        """Read `results` as plain dicts."""

        def read(body: bytes) -> Records:
            answer = object_of(body, query.client, query.resource)
            return read_records(answer, "results", f"{query.client.title}: {query.resource.name}")

        return Each(read)

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """GET …/find where the vendor has it, else query by id."""
        if self.find_path is None:
            query = Query(client, resource, {"id": int(identifier) if identifier.isdigit() else identifier})
            found = next(query.records(limit=1), None)
            if found is None:
                what = f"{client.title}: {resource.name} has no record {identifier!r}."
                raise NotFound(what, remedy="Check the id.")
            return found
        call = Call("GET", self.find_path, params={"id": identifier})
        answer = object_of(client.session.send(call).content, client, resource)
        # The pages of several `find` endpoints misprint the root, so that the real key is known from users alone.
        found = next((answer[root] for root in self.roots if isinstance(answer.get(root), dict)), None)
        if found is None:
            what = f"{client.title}: the answer to {self.find_path} has none of the keys {', '.join(self.roots)}."
            raise MalformedAnswer(what, remedy="Use client.get(path) to see the answer as it is.")
        return dict(found)


def object_of(body: bytes, client: Client, resource: Resource) -> dict[str, Any]:
    """Return an answer as a JSON object; `MalformedAnswer` where it is none."""
    return json_object(body, f"{client.title}: {resource.name}")
