"""Metadata documents, notes and external ids of Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from vendorkit.local.mediagenix.data import Library, day
from vendorkit.local.server.nodes import Attribute, Document, Resource, Table, child

_NOTED: Final = ("titles", "title_groups", "brands", "rights")
_DOCUMENTED: Final = (
    *(*_NOTED, "images", "assets", "renditions", "deals", "schedulings"),
    *("contributors", "franchises", "audio_tracks", "subtitles"),
)
_ACTORS: Final = ("Noor Aziz", "Liv Ström", "Anaïs Petit", 'Tom "Red" O\'Shea', "佐藤 花", "Marek Dvořák")


def external_id(prefix: str, index: int) -> str | None:
    """Return the customer's id of a record; some are null, a few empty."""
    if index % 9 == 5:
        return None
    return "" if index % 31 == 7 else f"{prefix}-{index + 1}"


def find_external_id(prefix: str, wanted: str, every: range) -> Sequence[int]:
    """Return the ids of the records with that external id: one or none."""
    start, _, number = wanted.rpartition("-")
    if start != prefix or not number.isdecimal():
        return []
    id_ = int(number)
    return [id_] if id_ in every and external_id(prefix, id_ - 1) == wanted else []


def metadata_table(library: Library, table: Table) -> Table:
    """Return the builders of `metadata` and `note` of the records in *table*."""
    more: Table = {}
    for kind in _DOCUMENTED:
        fields = _title_fields if kind == "titles" else _other_fields
        more[f"/{kind}/{{id}}/metadata"] = child(table[f"/{kind}/{{id}}"], partial(_document, kind, fields, library))
    for kind in _NOTED:
        more[f"/{kind}/{{id}}/note"] = child(table[f"/{kind}/{{id}}"], partial(_note, kind))
    return more


def _document(kind: str, fields: Callable[[Library, int], list[Attribute]], library: Library, id_: int) -> Document:
    return Document(kind.removesuffix("s"), fields(library, id_ - 1))


def _note(kind: str, id_: int) -> Resource | None:
    if id_ % 3:
        return None
    links = [("annotable", f"/{kind}/{id_}")]
    return Resource(
        "note", f"/{kind}/{id_}/note", [("text", "", "Check credits & cast")], (), links, frozenset({"annotable"})
    )


def _title_fields(library: Library, title: int) -> list[Attribute]:
    """Return the fields of a title; a synopsis is given, null, empty or absent: an analysis of gaps needs all four."""
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
    """Return fields with objects and lists of objects, which a document may contain (section 5)."""
    award: dict[str, Any] = {"name": "Golden Reel", "year": 1990 + number % 30, "won": number % 2 == 0}
    technical: dict[str, Any] = {"aspect": "16:9", "hd": True, "sound": {"mix": "5.1", "channels": 6}, "note": None}
    return [("awards", "array", [award, award | {"name": 'Silver "S"'}]), ("technical", "", technical)]


def _other_fields(library: Library, index: int) -> list[Attribute]:
    """Return the fields of other records, with languages as suffixes (section 5)."""
    number = library.scatter(index, 31)
    fields: list[Attribute] = [("name_en", "", library.phrase(index, 32)), ("reviewed", "boolean", number % 2 == 0)]
    if number % 3:
        fields.append(("name_fr", "", "" if number % 7 == 0 else "Maison d'été"))
    return [*fields, ("priority", "", number % 10 if number % 4 else None)]
