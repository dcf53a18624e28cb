"""
Mediagenix On-Demand (Movida) and Sequence: a video catalogue of hypermedia resources, in XML or JSON.

RFC 2617 digest with a nonce good for five minutes; 150 requests in 30 seconds, then a ban of 300 seconds; TLS chains of
one approved authority. Clients follow `next` and never compute pages. Facts as of 2026-11, see the resources' pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any, Final, cast
from urllib.parse import urlsplit

from requests.auth import AuthBase

from vendorkit.answers import json_object
from vendorkit.auth import Digest
from vendorkit.auth.flow import origin_of
from vendorkit.call import Call
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Column, JsonReader, Kind, Page, Schema, XmlReader
from vendorkit.pages import Each, P, Reader, Records, side_by_side
from vendorkit.query import Query, Span
from vendorkit.vendors import mediagenix_schema as declared
from vendorkit.vendors.base import Client, Environment, Resource
from vendorkit.vendors.filters import Filter

PER_PAGE: Final = 200  # more is refused with 422
EVENTS_PER_PAGE: Final = 50
# 150 requests in 30 seconds are documented; the ban is long, so some are left for clocks that differ.
RATES: Final = ((144, 30.0),)
_SINGLE = {"metadata", "schedule", "note", "workflow", "api"}


@dataclass(frozen=True)
class Linked:
    """
    A collection: pages by `next` links, at its own address or below a parent.

    Attributes:
        parents: Filter name to the address of the collection below that parent, `{}` standing for its id.
        own: Whether the collection also has an address of its own.
    """

    parents: Mapping[str, str] = field(default_factory=dict)
    own: bool = True

    def first_call(self, query: Query) -> Call:
        """GET the collection, or the followed address."""
        return self._call(query, PER_PAGE)

    def _call(self, query: Query, per_page: int) -> Call:
        params = dict(query.filters)
        url = query.url
        if url is None:
            parent = next((name for name in self.parents if name in params), None)
            if parent is None and not self.own:
                what = f"{query.resource.name} have no address of their own."
                hints = [f"give {name}=<id>" for name in self.parents]
                raise UsageError(what, remedy=f"{', or '.join((*hints, 'follow a link to them')).capitalize()}.")
            url = query.resource.path if parent is None else self.parents[parent].format(params.pop(parent))
        if isinstance(params.get("event_type"), list):
            params["event_type"] = ",".join(params["event_type"])
        if not is_single(url):
            # Some collections (platforms) are paged only on request; the others ignore the word (inferred).
            params |= {"per_page": per_page, "pagination": "true"}
        if query.expand:
            params["expand"] = ",".join(query.expand)
        return Call("GET", url, params=params, accept="xml" if query.accept == "xml" else "json")

    def pages(self, query: Query, reader: Reader[P], limit: int | None, after: Any = None) -> Iterator[P]:
        """Yield pages, following `next` until there is none; those of a planned part by their numbers."""
        if query.span is not None:
            yield from self._within(query, reader, query.span)
            return
        call = self._call(query, PER_PAGE if limit is None else max(1, min(limit, PER_PAGE)))
        call = replace(call, url=after, params={}) if after else call
        seen: set[str] = set()
        while True:
            page = reader.read(query.client.session.send(call).content)
            yield page
            link = self.resume_at(page.envelope)
            if not link:
                return
            if link in seen:
                what = f"The `next` links of {query.resource.name} go in a circle."
                raise IncompletePull(what, remedy="Pull again; if it stays, tell the vendor.")
            seen.add(link)
            call = replace(call, url=link, params={})

    def ranges(self, query: Query, parts: int) -> list[Span]:
        """
        Plan ranges of pages, where the collection says its total and the first `next` link numbers the second page.

        That all pages are numbered as the second one is inferred; what comes is counted against the total.
        """
        call = self._call(query, PER_PAGE)
        if is_single(call.url):
            return []
        reader = self.reader(query, query.schema.project(query.schema.arrow.names[:1]))
        around = reader.read(query.client.session.send(call).content).envelope
        total, link = self.total(around), self.resume_at(around)
        if not total or not link or not re.search(r"[?&]page=2(?=&|$)", link):
            return []
        pages = -(-total // PER_PAGE)
        edges = sorted({pages * part // parts for part in range(parts + 1)})
        sizes = [min(stop * PER_PAGE, total) - start * PER_PAGE for start, stop in pairwise(edges)]
        return [Span(size, [link, *ends, total]) for size, ends in zip(sizes, pairwise(edges), strict=True)]

    def _within(self, query: Query, reader: Reader[P], span: Span) -> Iterator[P]:
        link, start, stop, total = span.asked
        first = self._call(query, PER_PAGE)

        def fetch(number: int) -> bytes:
            url = re.sub(r"([?&]page=)2(?=&|$)", rf"\g<1>{number}", link)
            return query.client.session.send(replace(first, url=url, params={})).content

        for page in reader.read_all(side_by_side(fetch, range(start + 1, stop + 1))):
            if (found := self.total(page.envelope)) != total:
                what = f"{query.resource.name} changed: there are {found} where {total} were planned."
                raise IncompletePull(what, remedy="Make the Dask frame again.")
            yield cast("P", replace(cast("Any", page), envelope={**page.envelope, "total_entries": span.rows}))

    def resume_at(self, envelope: Mapping[str, Any]) -> str | None:
        """Return the `next` link."""
        link = envelope.get("next") or envelope.get("next_link")
        return str(link) if link else None

    def total(self, envelope: Mapping[str, Any]) -> int | None:
        """Return `total-entries`, where the collection has it."""
        total = envelope.get("total_entries")
        return int(total) if total is not None else None

    def count(self, query: Query) -> int | None:
        """Ask for a page of one record and read its total."""
        asked = replace(query, accept="json", expand=())
        return self.total(
            self.record_reader(asked).read(query.client.session.send(self._call(asked, 1)).content).envelope
        )

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Read the form that was asked for."""
        if query.accept == "xml":
            return XmlReader(schema)
        return JsonReader(schema, records=None if is_single(self._call(query, 1).url) else "entries")

    def record_reader(self, query: Query) -> Reader[Records]:
        """Read JSON as plain dicts."""

        def read(body: bytes) -> Records:
            answer = json_object(body, query.client.title)
            if "entries" not in answer:
                return Records([answer])
            return Records(answer.pop("entries"), answer)

        return Each(read)

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """GET the record at its own address."""
        call = Call("GET", f"{resource.path}/{identifier}")
        return dict(json_object(client.session.send(call).content, client.title))


class Events(Linked):
    """The change feed: batches after an id, oldest first; without `newer_than` the last 50 alone."""

    def ranges(self, query: Query, parts: int) -> list[Span]:  # noqa: ARG002
        """Return no parts: each batch is asked for by the last id of the one before."""
        return []

    def pages(
        self,
        query: Query,
        reader: Reader[P],
        limit: int | None,
        after: Any = None,  # noqa: ARG002
    ) -> Iterator[P]:
        """Yield batches; each asks for what is newer than the last id of the one before."""
        ids = self.reader(query, declared.schema("events").project(["id"]))
        call = self._call(query, PER_PAGE if limit is None else max(1, min(limit, PER_PAGE)))
        while True:
            body = query.client.session.send(call).content
            page = reader.read(body)
            yield page
            last = ids.read(body).table["id"].to_pylist()[-1:]
            if not last or "newer_than" not in query.filters:
                return
            call = replace(call, params={**call.params, "newer_than": last[0]})

    def resume_at(self, envelope: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """Return None: where the feed goes on stands in its records, not around them."""
        return None


class Documents(Linked):
    """Account-defined metadata: one free document for each entity, given as one column of JSON text."""

    def ranges(self, query: Query, parts: int) -> list[Span]:  # noqa: ARG002
        """Return no parts: there is one document."""
        return []

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Read a document as the one value of one record."""
        inner = super().reader(replace(query, accept="json", url="/api/titles"), schema)
        return Each(lambda body: inner.read(b'{"entries":[{"metadata":' + body + b"}]}"))

    def first_call(self, query: Query) -> Call:
        """GET the document, in JSON."""
        return super().first_call(replace(query, accept="json"))

    def _call(self, query: Query, per_page: int) -> Call:
        return super()._call(replace(query, accept="json"), per_page)


def is_single(url: str) -> bool:
    """Tell whether *url* leads to one resource and not to a collection."""
    last = urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
    return last in _SINGLE or bool(re.fullmatch(r"[0-9]+", last))


class Entity(dict[str, Any]):
    """One hypermedia resource: its fields as the vendor sent them, and the links that lead on."""

    def __init__(self, client: Mediagenix, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self._client = client

    @property
    def links(self) -> dict[str, Link]:
        """Rel to link, such as `entity.links["titles"].follow()`."""
        found = {key.removesuffix("_link"): href for key, href in self.items() if key.endswith("_link") and href}
        return {rel: Link(rel, str(href), self._client) for rel, href in found.items()}


@dataclass(frozen=True)
class Link:
    """A link of a resource. `follow()` is lazy, as everything that gives a query."""

    rel: str
    href: str
    client: Mediagenix = field(repr=False)

    def follow(self, *, expand: Sequence[str] = ()) -> Query:
        """Return a query for what the link leads to."""
        return self.client.follow(self.href, expand=expand)


_BELOW: Final[dict[str, tuple[str, ...]]] = {
    "titles": ("title_group", "licensor", "brand"),
    "title_groups": ("title",),
    "collection_entries": ("title_group",),
    "schedules": ("platform", "title", "title_group", "asset"),
    "schedulings": ("platform", "title", "title_group", "asset"),
    "availability_windows": ("title",),
    "rights": ("title", "title_group", "deal"),
    "denied_rights": ("title", "title_group"),
    "blackouts": ("title", "title_group"),
    "images": ("title", "title_group", "brand"),
    "assets": ("title",),
    "renditions": ("asset",),
    "platforms": ("availability_window", "outlet"),
    "target_platforms": ("image", "rendition"),
    "granted_requirements": ("right", "deal", "blackout"),
    "specific_platforms": ("right", "deal", "blackout", "denied_right"),
    "requirements": ("platform",),
    "publications": ("scheduling",),
    "linear_schedulings": ("linear_channel", "title"),
    "metadata": ("title", "title_group", "brand", "asset", "scheduling", "right", "deal", "image"),
}
_ROOTS: Final = {
    *("titles", "title_groups", "brands", "platforms", "licensors", "events", "outlets", "assets", "linear_channels"),
    *("requirements", "denied_rights", "deals", "rights"),
}
_SEQUENCE: Final[dict[str, str]] = {
    "work_areas": "",
    "jobs": "/work_areas/{}/jobs",
    "job_assets": "",
    "tasks": "",
    "notes": "",
    "problems": "",
}
_ABOUT: Final[dict[str, str]] = {
    "titles": "Features, episodes, trailers.",
    "title_groups": "Series and collections.",
    "schedulings": "When a title is up on a platform.",
    "availability_windows": "When rights allow a title, on which platforms.",
    "events": "The change feed, oldest first.",
    "metadata": "Account-defined fields of one entity, as a document.",
}
_FILTERS: Final[dict[str, tuple[Filter, ...]]] = {
    "titles": (Filter("external_id", "code", many=False),),
    "assets": (Filter("name", many=False),),
    "events": (
        Filter("newer_than", "integer", many=False, about="Ids above this one; 0 for all that are kept."),
        Filter("event_type", about="Such as title_updated."),
    ),
}


class Mediagenix(Client):
    """A Mediagenix On-Demand client; Sequence's work areas and jobs are reached through it as well."""

    vendor_name = "mediagenix"
    label = "Mediagenix On-Demand"
    setting_names = ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD")
    accepts = ("xml", "json")
    approved_roots_only = True
    environments = {  # noqa: RUF012 - a constant
        name: Environment(
            f"https://{prefix}movida.bebanjo.net", RATES, {"sequence": f"https://{prefix}sequence.bebanjo.net"}
        )
        for name, prefix in (("staging", "staging-"), ("preproduction", "preproduction-"), ("production", ""))
    }

    def declare(self) -> Sequence[Resource]:
        """Return the resources of On-Demand and of Sequence."""
        resources = [self._resource(name) for name in declared.names() if name not in _SEQUENCE]
        documents = Schema("metadata", (Column("metadata", Kind.DOCUMENT),), key="")
        parents = _parents("metadata")
        about = _ABOUT["metadata"]
        filters = _parent_filters(parents)
        resources.append(Resource("metadata", about, "/api", documents, Documents(parents, own=False), filters))
        return resources + [self._sequence(name) for name in _SEQUENCE]

    def _resource(self, name: str) -> Resource:
        parents = _parents(name)
        style = (Events if name == "events" else Linked)(parents, own=name in _ROOTS)
        return Resource(
            name,
            _ABOUT.get(name, f"{name.replace('_', ' ').capitalize()}."),
            f"/api/{name}",
            declared.schema(name),
            style,
            (*_FILTERS.get(name, ()), *_parent_filters(parents)),
            schema_of=lambda query: declared.schema(name, tuple(sorted(query.expand))),
            expands=declared.expandable(name),
            unreached=partial(declared.unreached, name),
        )

    def _sequence(self, name: str) -> Resource:
        base = f"{self.endpoint.origins.get('sequence', '')}/api"
        below = {"work_area": f"{base}{_SEQUENCE[name]}"} if _SEQUENCE[name] else {}
        style = Linked(below, own=name == "work_areas")
        return Resource(
            name,
            f"Sequence: {name.replace('_', ' ')}.",
            f"{base}/{name}",
            declared.schema(name),
            style,
            _parent_filters(below),
            schema_of=lambda query: declared.schema(name, tuple(sorted(query.expand))),
            expands=declared.expandable(name),
            unreached=partial(declared.unreached, name),
        )

    def schemes(self) -> Mapping[str, AuthBase]:
        """Digest, for everything; the nonces of the two products are kept apart."""
        return {"default": Digest(*self.credential_pairs()[0])}

    def credential_pairs(self) -> list[tuple[str, str]]:
        """The robot user and its password."""
        found = self.settings.require(self.setting_names, why=self.title)
        return [(found[self.setting_names[0]], found[self.setting_names[1]])]

    def ping(self) -> str:
        """Fetch the root."""
        return f"the robot user is accepted; the root has {len(self.root().links)} links."

    def root(self, product: str = "movida") -> Entity:
        """Fetch the root resource of On-Demand, or of Sequence (`product="sequence"`); its links lead everywhere."""
        base = self.endpoint.origins.get("sequence", "") if product == "sequence" else self.endpoint.base_url
        return Entity(self, json_object(self.session.send(Call("GET", f"{base}/api")).content, self.title))

    def follow(self, link: str | Link, *, expand: Sequence[str] = (), accept: str | None = None) -> Query:
        """
        Return a lazy query for any address of the vendor, such as a cell of a `…_link` column.

        Raises:
            OriginRefused: The address is not the vendor's; its files, for instance, lie elsewhere.
        """
        url = self.session.absolute(link.href if isinstance(link, Link) else link)
        words = [word for word in urlsplit(url).path.split("/") if word and not word.isdigit()]
        name = words[-1] if words else ""
        sequence = self.endpoint.origins.get("sequence")
        if name == "assets" and sequence and origin_of(url) == origin_of(sequence):
            name = "job_assets"
        name = {"schedule": "schedules", "clips": "titles", "series": "title_groups"}.get(name, name)
        resource = self._resources.get(name) or _undeclared(name)
        return Query(self, resource, expand=tuple(expand), accept=accept or self.accepts[0], url=url)

    def entity(self, link: str | Link) -> Entity:
        """Fetch the one resource at *link*, with its links."""
        query = self.follow(link, accept="json")
        return Entity(self, json_object(self.session.send(query.resource.style.first_call(query)).content, self.title))


def _parents(name: str) -> dict[str, str]:
    last = {"schedulings": "schedule/schedulings", "schedules": "schedule"}.get(name, name)
    return {parent: f"/api/{parent}s/{{}}/{last}" for parent in _BELOW.get(name, ())}


def _parent_filters(parents: Mapping[str, str]) -> tuple[Filter, ...]:
    return tuple(Filter(name, "integer", many=False, about=f"Those of this {name}, by its id.") for name in parents)


def _undeclared(name: str) -> Resource:
    columns = (Column("resource_type", Kind.TEXT), Column("id", Kind.ID), Column("self_link", Kind.LINK, "self"))
    return Resource(name or "resource", "Not declared.", "/api", Schema(name or "resources", columns), Linked())
