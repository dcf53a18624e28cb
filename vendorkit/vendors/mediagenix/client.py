"""
Mediagenix On-Demand (Movida) and Sequence: a video catalogue of hypermedia resources, in XML or JSON.

Authentication is RFC 2617 digest; a nonce is valid for five minutes. More than 150 requests in 30 seconds lead to a ban
of 300 seconds. TLS chains must end in a root of one approved authority. Clients must follow `next` links instead of
computing the URLs of pages. The source is excerpts of the vendor's documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urldefrag, urlencode, urlsplit

from vendorkit import arguments
from vendorkit.ask import Ask, Filter, choice
from vendorkit.auth.flow import origin_of
from vendorkit.frames import Column, Kind, Schema
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call
from vendorkit.query import Query
from vendorkit.resource import Resource, first_call
from vendorkit.vendors.bound import BoundResource
from vendorkit.vendors.client import Client
from vendorkit.vendors.declared import Declared, read_resources
from vendorkit.vendors.hosts import Environment
from vendorkit.vendors.mediagenix.browsing import Hypermedia
from vendorkit.vendors.mediagenix.changes import EventFed, FeedChanges
from vendorkit.vendors.mediagenix.paging import Documents, Events, Linked, Unknown
from vendorkit.vendors.mediagenix.schema import FILE, expandable, ineffective_expansions, resource_at, schema

# The documented limit is 150 requests in 30 seconds. The margin allows for clocks that differ, because a ban is long.
RATES: Final = ((144, 30.0),)


class Entity(dict[str, Any]):
    """One hypermedia resource: its fields as the vendor sent them, and its links."""

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
    """A link of a resource. `follow()` returns a lazy query."""

    rel: str
    href: str
    client: Mediagenix = field(repr=False)

    def follow(self, *, expand: str | Iterable[str] | None = None) -> Query:
        """Return a query for the record or collection at the link."""
        return self.client.follow(self.href, expand=expand)


class Mediagenix(Client):
    """A Mediagenix On-Demand client. It also includes the resources of Sequence, such as work areas and jobs."""

    titles: BoundResource
    title_groups: BoundResource
    collection_entries: BoundResource
    brands: BoundResource
    platforms: BoundResource
    outlets: BoundResource
    licensors: BoundResource
    schedules: BoundResource
    schedulings: BoundResource
    availability_windows: BoundResource
    rights: BoundResource
    deals: BoundResource
    denied_rights: BoundResource
    blackouts: BoundResource
    requirements: BoundResource
    granted_requirements: BoundResource
    specific_platforms: BoundResource
    images: BoundResource
    target_platforms: BoundResource
    assets: BoundResource
    renditions: BoundResource
    publications: BoundResource
    linear_channels: BoundResource
    linear_schedulings: BoundResource
    events: BoundResource
    work_areas: BoundResource
    jobs: BoundResource
    job_assets: BoundResource
    tasks: BoundResource
    notes: BoundResource
    problems: BoundResource
    hooks: BoundResource
    sequence_events: BoundResource
    metadata: BoundResource
    entity_notes: BoundResource
    workflows: BoundResource
    franchises: BoundResource
    rules: BoundResource
    segments: BoundResource
    audio_tracks: BoundResource
    subtitles: BoundResource
    contributors: BoundResource
    credits: BoundResource
    credit_roles: BoundResource
    external_ids: BoundResource
    external_id_types: BoundResource
    linear_program_groups: BoundResource
    linear_programs: BoundResource
    linear_categories: BoundResource
    conflicts: BoundResource
    playlists: BoundResource
    content_promotions: BoundResource
    users: BoundResource
    teams: BoundResource
    permissions: BoundResource
    roles: BoundResource

    vendor_name = "mediagenix"
    label = "Mediagenix On-Demand"
    setting_names = ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD")
    logins = MappingProxyType({"default": ("digest", "MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD")})
    accepts: tuple[str, ...] = ("xml", "json")
    local_origins = ("sequence",)
    approved_roots_only = True
    environments = {  # noqa: RUF012 - a constant
        name: Environment(
            f"https://{prefix}movida.bebanjo.net", RATES, {"sequence": f"https://{prefix}sequence.bebanjo.net"}
        )
        for name, prefix in (("staging", "staging-"), ("preproduction", "preproduction-"), ("production", ""))
    }

    def declare(self) -> Sequence[Resource]:
        """Return the resources of On-Demand and of Sequence."""
        return [self._resource(declared) for declared in read_resources(FILE).values()]

    def _resource(self, declared: Declared) -> Resource:
        name, values = declared.name, declared.values
        base = self.endpoint.origins.get("sequence", "") if "host" in values else ""
        below = values.get("below", (name,))[0]
        pairs = [word.partition(":")[::2] for word in values.get("parents", ())]
        parents = {parent: f"{base}/api/{parent}s/{{{parent}}}/{below}" for parent, _ in pairs}
        path, in_root = f"{base}{values['path'][0]}", values.get("root") == ("yes",)
        about = "Only records of this {}, by its id."
        by_parent = [Filter(parent, "integer", many=False, about=about.format(parent)) for parent in parents]
        filters = (*declared.filters, *by_parent)
        location = (name, path, parents, in_root)
        if name == "metadata":
            return Resource(name, declared.about, path, declared.schema, Documents(*location), filters)
        changes, paging = None, (Events if below == "events" else Linked)(*location)
        if below != "events" and "host" not in values and declared.schema.key:
            paging = EventFed(*location, {parent: link for parent, link in pairs if link})
            changes = FeedChanges(paging)
        return Resource(
            name,
            declared.about,
            path,
            schema(name),
            paging,
            filters,
            schema_of=lambda ask: schema(name, tuple(sorted(ask.expand))),
            expands=expandable(name),
            ineffective=partial(ineffective_expansions, name),
            changes=changes,
        )

    def ping(self) -> str:
        """Fetch the root."""
        return f"the robot user is accepted; the root has {len(self.root().links)} links."

    def example_query(self) -> Query:
        """Return a query for all titles with their metadata."""
        return self.titles.query(expand=["metadata"])

    @property
    def browsing(self) -> Hypermedia:
        """The addresses that `vendorkit.browse` can show: those of the vendor's links."""
        return Hypermedia(self, self.settings, self.follow, partial(Entity, self))

    def root(self, product: str = "movida") -> Entity:
        """Fetch the root resource of On-Demand or Sequence (`product="sequence"`), which links to the collections."""
        product = choice(product, ("movida", "sequence"), f"{self.title} has no product")
        base = self.endpoint.origins.get("sequence", "") if product == "sequence" else self.endpoint.base_url
        return self._fetched(Call("GET", f"{base}/api"))

    def follow(
        self, link: str | Link, *, expand: str | Iterable[str] | None = None, accept: str | None = None
    ) -> Query:
        """
        Return a lazy query for any URL of the vendor, such as a cell of a `…_link` column.

        For a page that is not the first, the query returns the records from that page on. *expand* replaces the linked
        resources that the URL expands.

        Raises:
            OriginRefused: The URL is on another host, such as those of the vendor's files.
        """
        wanted = "a URL of the vendor, such as a cell of a …_link column"
        href = link.href if isinstance(link, Link) else arguments.text(link, "link", wanted)
        url = urldefrag(self.session.absolute(href)).url
        parts = urlsplit(url)
        parameters = parse_qs(parts.query, keep_blank_values=True)
        in_url = parameters.pop("expand", None)
        rels = [rel for text in in_url or () for rel in text.split(",") if rel]
        if in_url is not None:
            url = parts._replace(query=urlencode(parameters, doseq=True, safe=",")).geturl()
        words = [word for word in parts.path.split("/") if word and not word.isdigit()]
        sequence = self.endpoint.origins.get("sequence")
        host = "sequence" if sequence and origin_of(url) == origin_of(sequence) else ""
        name = resource_at(words[-1], host) if words else "resource"
        rels = arguments.names(rels if expand is None else expand, "expand", "a list of linked resources")
        accept = choice(self.accepts[0] if accept is None else accept, self.accepts, f"{self.title} has no format")
        return Query(self, Ask(name, expand=tuple(rels), accept=accept, url=url))

    def resource_of(self, ask: Ask) -> Resource:
        """Return the resource that *ask* queries. It may be undeclared if *ask* follows a link."""
        return self.declared.get(ask.resource) or _undeclared(ask.resource)

    def entity(self, link: str | Link) -> Entity:
        """Fetch the one resource at *link*, with its links."""
        query = self.follow(link, accept="json")
        return self._fetched(first_call(query.resource, query.ask))

    def _fetched(self, call: Call) -> Entity:
        return Entity(self, json_object(self.session.send(call).content, self.title))


def _undeclared(name: str) -> Resource:
    columns = (Column("resource_type", Kind.TEXT), Column("id", Kind.ID), Column("self_link", Kind.LINK, "self"))
    return Resource(name, "Not declared.", "/api", Schema(name, columns), Unknown(name, "/api"))
