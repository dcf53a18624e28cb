"""
Mediagenix On-Demand and Sequence as data: the attributes and links of each resource.

Source: the vendor's page on each resource, read 2026-11 (docs.bebanjo.com and its mirrors). A page may name more
attributes than could be seen; those arrive as undeclared columns. One line a resource: attributes with their type where
it is not text, links after "@", those that cannot be expanded with "!", collections with "*".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from vendorkit.frames import Column, Embedded, EmbeddedMany, Kind, Schema

_KINDS: Final = {
    "id": Kind.ID,
    "code": Kind.CODE,
    "integer": Kind.INTEGER,
    "boolean": Kind.BOOLEAN,
    "datetime": Kind.DATETIME,
    "date": Kind.DATE,
    "duration": Kind.DURATION,
}

_RIGHT = (
    "external_id:code name right_type starts:datetime ends:datetime utility_limit:integer repeats:boolean "
    "minimum_exploitation:integer maximum_exploitation:integer exploitation_limits_context rerun_limit:integer parity "
)
_FILE = "file_name file_size:integer file_md5 "

# rel of a link -> resource it leads to, where the names differ
_TARGETS: Final = {
    "title_group": "title_groups",
    "collection": "title_groups",
    "series": "title_groups",
    "collections": "title_groups",
    "clips": "titles",
    "trailers": "titles",
    "promoted_content": "titles",
    "sourced_schedulings": "schedulings",
    "linear_channel": "linear_channels",
    "channel": "linear_channels",
    "publications": "publications",
    "content": "titles",
    "licensable": "titles",
    "schedule": "schedules",
}

_DECLARED: Final[dict[str, str]] = {
    "titles": "id:id name title external_id:code title_type episode_number:integer tags acl_hash "
    "@schedule @linear_schedulings* @availability_windows* @title_groups* @licensor @images* @assets* @metadata "
    "@blackouts*! @rights*! @denied_rights* @rules* @clips* @note @creator",
    "title_groups": "id:id name external_id:code title_group_type season_number:integer season_reference_id tags "
    "acl_hash @titles* @schedule @images* @metadata @blackouts*! @rights*! @denied_rights*! @rules* @clips* @note "
    "@collection_entries* @creator",
    "collection_entries": "id:id position:integer @collection @title",
    "brands": "id:id external_id:code name tags acl_hash @series* @collections* @titles* @metadata @images* @licensor "
    "@clips* @note @external_ids* @creator",
    "platforms": "id:id name timezone external_id:code @schedule @requirements* @metadata @outlet",
    "outlets": "id:id name external_id:code @platforms*",
    "licensors": "id:id name @titles*",
    "schedules": "@schedulings* @platform @title_group @title @asset",
    "schedulings": "id:id put_up:datetime take_down:datetime scheduling_type rights_status "
    "rights_status_calculating:boolean workflow_status publication_status tags external_id:code "
    "automatic_asset_selection:boolean @title_group @title @asset @conflicts* @publications* @platform @playlist "
    "@workflow @metadata!",
    "availability_windows": "id:id from:datetime to:datetime @title @platforms*",
    "rights": f"id:id {_RIGHT}episode_selection_type episode_selection clearances_included:boolean "
    "@licensable @licensor @granted_requirements* @specific_platforms* @sourced_schedulings* @note @metadata",
    "deals": f"id:id {_RIGHT}rights_updated_at:datetime "
    "@rights*! @metadata @licensor! @granted_requirements*! @specific_platforms*!",
    "denied_rights": "id:id external_id:code name reason enabled:boolean @licensable @specific_platforms*",
    "blackouts": "id:id external_id:code name starts:datetime ends:datetime "
    "@specific_platforms* @granted_requirements*",
    "requirements": "id:id category value",
    "granted_requirements": "id:id @requirement",
    "specific_platforms": "id:id @platform",
    "images": f"id:id external_id:code width:integer height:integer encoding aspect_ratio type {_FILE}is_cover:boolean "
    "@file! @content @target_platforms* @metadata",
    "target_platforms": "@platform",
    "assets": "id:id name external_id:code type runtime:duration description "
    "@metadata @title @renditions* @segments* @schedule",
    "renditions": "id:id external_id:code width:integer height:integer encoding color frame_rate scan aspect_ratio "
    f"bit_rate_minimum:integer bit_rate_maximum:integer bit_rate_average:integer bit_rate_variable:boolean {_FILE}"
    "runtime:duration @file! @audio_tracks* @subtitles* @target_platforms* @metadata @asset!",
    "publications": "id:id success:boolean published_at:datetime @scheduling @payload! @log!",
    "linear_channels": "id:id name external_id:code timezone @linear_schedulings* @linear_programs*",
    "linear_schedulings": "id:id begins_at:datetime ends_at:datetime external_id:code costed_run rerun "
    "linear_contract_id:code @title @asset @linear_channel @schedulings*",
    "events": "id:id event_type timestamp:datetime changes @subject",
    # Sequence
    "work_areas": "id:id name @jobs*",
    "jobs": "id:id name due_date:datetime begins_at:date ends_at:date licensor_name status tasks_status assets_status "
    "tag_list title_external_id:code @work_area @assets* @tasks* @notes* @problems* @hooks* @scheduling! @metadata "
    "@title! @web!",
    "job_assets": "id:id type_name status progress:integer @job",
    "tasks": "id:id name status requires_duration:boolean duration:duration position:integer responsible_email @job",
    "notes": "id:id body creator created_at:datetime",
    "problems": "id:id description dismissed:boolean reporter",
}


@dataclass(frozen=True)
class Link:
    """One declared link: its rel, whether it leads to a collection, whether it can be expanded."""

    rel: str
    many: bool
    expandable: bool

    @property
    def target(self) -> str | None:
        """The resource it leads to, where that one is declared."""
        name = _TARGETS.get(self.rel, self.rel if self.many else f"{self.rel}s")
        return name if name in _DECLARED else None


@cache
def _declared(name: str) -> tuple[tuple[Column, ...], tuple[Link, ...]]:
    columns, links = [], []
    for word in _DECLARED[name].split():
        if word.startswith("@"):
            links.append(Link(word.strip("@*!"), "*" in word, "!" not in word))
        else:
            attribute, _, kind = word.partition(":")
            columns.append(Column(attribute, _KINDS.get(kind, Kind.TEXT)))
    return tuple(columns), tuple(links)


def names() -> tuple[str, ...]:
    """Return the declared resources."""
    return tuple(_DECLARED)


def expandable(name: str) -> tuple[str, ...]:
    """Return the rels of *name* that the vendor expands."""
    return tuple(link.rel for link in _declared(name)[1] if link.expandable)


def unreached(name: str, expand: Sequence[str]) -> tuple[str, ...]:
    """Return those of *expand* that neither *name* has, nor what is embedded in it by the others."""
    found, resources = set[str](), [name]
    for resource in resources:
        for link in _declared(resource)[1]:
            if link.rel in expand and link.expandable:
                found.add(link.rel)
                if link.target is not None and link.target not in resources:
                    resources.append(link.target)
    return tuple(rel for rel in expand if rel not in found)


@cache
def schema(name: str, expand: tuple[str, ...] = ()) -> Schema:
    """Return the columns of *name*, with those linked resources embedded that *expand* names, at every depth."""
    key = "id" if "id:id" in _DECLARED[name].split() else ""
    return Schema(name, tuple(_columns(name, expand, (name,))), key=key)


def _columns(name: str, expand: tuple[str, ...], above: tuple[str, ...]) -> Iterator[Column]:
    attributes, links = _declared(name)
    yield Column("resource_type", Kind.TEXT, about="In XML the name of the element.")
    yield from attributes
    yield Column("self_link", Kind.LINK, "self")
    for link in links:
        yield Column(f"{link.rel}_link", Kind.LINK, link.rel)
    for link in links:
        if link.rel not in expand or not link.expandable:
            continue
        if link.rel == "metadata":
            yield Column("metadata", Kind.DOCUMENT, about="Account-defined document; tables() gives it as rows.")
        elif link.rel == "subject":
            yield Column("subject", Kind.JSON, about="The record the event is about; its kind varies.")
        elif link.target is not None and link.target not in above:
            # The vendor applies one flat list at every depth, and does not expand what it came from.
            fields = tuple(_columns(link.target, expand, (*above, link.target)))
            yield Column(link.rel, EmbeddedMany(fields) if link.many else Embedded(fields))
