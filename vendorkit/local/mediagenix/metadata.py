"""Metadata documents, notes and external ids of the local Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from vendorkit.local.mediagenix.data import Library, day
from vendorkit.local.server.hypermedia import Attribute, Document, Node, Resource

ENTITIES: Final = {"titles": "title", "title_groups": "title_group", "brands": "brand", "images": "image",
                   "assets": "asset", "renditions": "rendition", "rights": "right", "deals": "deal",
                   "schedulings": "scheduling"}  # fmt: skip
_NOTED: Final = ("titles", "title_groups", "brands", "rights")
_ACTORS: Final = ("Noor Aziz", "Liv Ström", "Anaïs Petit", 'Tom "Red" O\'Shea', "佐藤 花", "Marek Dvořák")


def external_id(prefix: str, index: int) -> str | None:
    """The customer's own id of a record; null for some, empty for a few."""
    if index % 9 == 5:
        return None
    return "" if index % 31 == 7 else f"{prefix}-{index + 1}"


def find_external_id(prefix: str, wanted: str, every: range) -> Sequence[int]:
    """Ids of the records with that external id: one or none."""
    start, _, number = wanted.rpartition("-")
    if start != prefix or not number.isdecimal():
        return []
    id_ = int(number)
    return [id_] if id_ in every and external_id(prefix, id_ - 1) == wanted else []


def metadata_table(
    library: Library, table: dict[str, Callable[..., Node | None]]
) -> dict[str, Callable[..., Node | None]]:
    """The `metadata` and `note` of the records that the other tables answer."""
    more: dict[str, Callable[..., Node | None]] = {}
    for owner in ENTITIES:
        more[f"/{owner}/{{id}}/metadata"] = _metadata_of(library, owner, table[f"/{owner}/{{id}}"])
    for owner in _NOTED:
        more[f"/{owner}/{{id}}/note"] = _note_of(owner, table[f"/{owner}/{{id}}"])
    return more


def _metadata_of(library: Library, owner: str, build: Callable[..., Node | None]) -> Callable[..., Node | None]:
    def metadata(id_: int) -> Node | None:
        if build(id_) is None:
            return None
        fields = _title_fields(library, id_ - 1) if owner == "titles" else _other_fields(library, id_ - 1)
        return Document(ENTITIES[owner], fields)

    return metadata


def _note_of(owner: str, build: Callable[..., Node | None]) -> Callable[..., Node | None]:
    def note(id_: int) -> Node | None:
        # The vendor's page on notes was not seen; one text is the least there can be.
        text = None if id_ % 3 else "Check credits & cast"
        return build(id_) and Resource("note", f"/{owner}/{id_}/note", [("body", "", text)])

    return note


def _title_fields(library: Library, title: int) -> list[Attribute]:
    """A synopsis may be there, null, empty or absent, by different rules: gap analysis has to tell them apart."""
    number = library.scatter(title, 30)
    fields: list[Attribute] = []
    if number % 11:
        short = (None, "")[number % 2] if number % 7 == 0 else f"{library.phrase(title, 20)}: a story of <two> sisters."
        fields.append(("short_synopsis", "", short))
    if number % 5:
        fields.append(("long_synopsis", "", 'A house by the sea & a letter.\nNobody "opens" it.' * (number % 4 + 1)))
    fields += [
        ("rating", "", ("PG", "12", None, "15", "U")[number // 16 % 5]),
        ("year", "", 1960 + number // 32 % 67),
        ("silent", "boolean", number // 64 % 41 == 0),
        ("dvd_release", "datetime", f"{day(-(number % 6000))}T23:00:00Z" if number % 3 else None),
        ("premiere", "date", day(-(number // 7 % 6000))),
        ("slot_length", "", "30m" if title % 13 == 4 else f"{number % 2:02}:58:00"),
        ("actors", "array", [_ACTORS[(number + place) % 6] for place in range(number // 3 % 5)]),
        ("genres", "array", [("Drama", "Crime & Noir", "Comedy", "Family")[number % 4]]),
    ]
    if library.kind(title) == "episode":
        fields.append(("episode_name", "", library.phrase(title, 20)))
    if number % 8 == 0:
        fields += _nested(number)
    return fields


def _nested(number: int) -> list[Attribute]:
    """Objects and lists of objects: legal in a document (section 5)."""
    award: dict[str, Any] = {"name": "Golden Reel", "year": 1990 + number % 30, "won": number % 2 == 0}
    technical: dict[str, Any] = {"aspect": "16:9", "hd": True, "sound": {"mix": "5.1", "channels": 6}, "note": None}
    return [("awards", "array", [award, award | {"name": 'Silver "S"'}]), ("technical", "", technical)]


def _other_fields(library: Library, index: int) -> list[Attribute]:
    """The smaller templates, in which the languages stand as suffixes (section 5)."""
    number = library.scatter(index, 31)
    fields: list[Attribute] = [("name_en", "", library.phrase(index, 32)), ("reviewed", "boolean", number % 2 == 0)]
    if number % 3:
        fields.append(("name_fr", "", "" if number % 7 == 0 else "Maison d'été"))
    return [*fields, ("priority", "", number % 10 if number % 4 else None)]
