"""
Mediagenix On-Demand (Movida) and Sequence: a video catalogue of hypermedia resources, in XML or JSON.

RFC 2617 digest with a nonce good for five minutes; 150 requests in 30 seconds, then a ban of 300 seconds; TLS chains of
one approved authority. Clients follow `next` and never compute pages. Facts as of 2026-11, see the resources' pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from requests.auth import AuthBase

from vendorkit.ask import Filter
from vendorkit.auth import Digest
from vendorkit.auth.flow import origin_of
from vendorkit.frames import Column, Kind, Schema
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client, Environment
from vendorkit.vendors.mediagenix import schema as declared
from vendorkit.vendors.mediagenix.changes import Fed
from vendorkit.vendors.mediagenix.paging import Documents, Events, Linked

# 150 requests in 30 seconds are documented; the ban is long, so some are left for clocks that differ.
RATES: Final = ((144, 30.0),)


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
# By which link a record says what it is below, where that is what its parent's collection holds: a group's schedule,
# for one, holds the schedulings of all its titles.
_TELLS: Final[dict[str, dict[str, str]]] = {
    "titles": {"licensor": "licensor"},
    "schedulings": {"platform": "platform", "title": "title", "asset": "asset"},
    "rights": {"title": "licensable", "title_group": "licensable"},
    "denied_rights": {"title": "licensable", "title_group": "licensable"},
    "images": {"title": "content", "title_group": "content", "brand": "content"},
    "assets": {"title": "title"},
    "renditions": {"asset": "asset"},
    "availability_windows": {"title": "title"},
    "linear_schedulings": {"linear_channel": "linear_channel", "title": "title"},
    "platforms": {"outlet": "outlet"},
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
        style: Linked = Linked(parents, own=name in _ROOTS)
        if name == "events":
            style = Events(parents)
        elif declared.schema(name).key:
            style = Fed(parents, own=name in _ROOTS, tells=_TELLS.get(name, {}))
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
