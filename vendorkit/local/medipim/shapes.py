"""
Templates of Medipim's products and media, one per kind of record (Medipim's documents).

A template is JSON with places: `"##name"` for a whole value (`"##name+3"` for a number followed by the digit 3),
`#name#` within a string, and the member `"@name": ""` for several members. `product` of `words.json` has the members of
a product: name, countries ("": all of them) and value, where `"{fact}"` is a fact of the kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.kinds import KINDS, MEDIA, WORDS, Record
from vendorkit.local.medipim.lookups import Lookups, encode
from vendorkit.local.medipim.rows import FIRST

FIELDS: Final = (
    "id", "status", "replacement", "brand_text", "codes", "national", "price", "cost", "vat", "brands",
    "organizations", "organization_text", "deletion", "reference", "meta", "media0", "media1", "text",
)  # fmt: skip
_PLACE: Final = re.compile(rb'"##([a-z0-9_]+)(?:\+(\d))?"|#([a-z0-9_]+)#|"@([a-z]+)":""')


class Template:
    """The JSON of one kind of record; `fill` puts the values of a record into its places."""

    def __init__(self, value: Record) -> None:
        names: list[str] = []

        def place(match: re.Match[bytes]) -> bytes:
            names.append((match[1] or match[3] or match[4]).decode())
            return b"%b" + (match[2] or b"")

        self._form = _PLACE.sub(place, encode(value).replace(b"%", b"%%"))
        self._pick: Callable[[tuple[Any, ...]], Any] = itemgetter(*[FIELDS.index(name) for name in names])

    def fill(self, row: tuple[Any, ...]) -> bytes:
        """Return the record of `row`, whose values are in the order of FIELDS."""
        filled: bytes = self._form % self._pick(row)
        return filled


class Shapes:
    """
    Builds the templates of one catalogue.

    Args:
        catalogue: The source of the country.
        lookups: The source of categories and other links.
        base_url, files_url: Origins of the API and of the media links.
    """

    def __init__(self, catalogue: Catalogue, lookups: Lookups, base_url: str, files_url: str) -> None:
        self.country, self.locales = catalogue.country, catalogue.locales
        self.lookups, self.base_url, self.files_url = lookups, base_url, files_url

    def product(self, number: int) -> Record:
        """Return the template of a product; `number` is 8 variant + 4 second name + 2 second text + 1 first text."""
        kind = KINDS[number // 8]
        facts = {**kind, **self._names(kind, number), **self.lookups.of_kind(kind), **self._media(kind)}
        facts |= {"descriptions": self._descriptions(kind, number), "leaflets": self._leaflets(kind, number // 8)}
        # Unsigned: the vendor signs the link, which would take longer than the rest of the record.
        facts["embedUrl"] = f"{self.base_url}/v4/products/embed?id=#id#"
        return {
            member: facts[value[1:-1]] if value and value[0] == "{" else value
            for member, countries, value in WORDS["product"]
            if not countries or self.country in countries
        }

    def _names(self, kind: Record, number: int) -> Record:
        has_name = [True, bool(number & 4), *kind["languages"][2:]]
        there = [loc for loc, has in zip(self.locales, has_name, strict=False) if has]
        names = {loc: f"{kind['line']} {kind[loc]} {kind['tail']}" for loc in there}
        return {
            "name": {loc: f"#brand_text# {name}" for loc, name in names.items()},
            "seoName": {loc: f"#brand_text# - {name.upper()}" for loc, name in names.items()},
        }

    def _media(self, kind: Record) -> Record:
        there = [(item, f"media{slot}") for slot, item in enumerate(kind["shows"]) if item["there"]]
        media = [self.media_item(item["number"], place) for item, place in there]
        frontal = [self._formats(place, WORDS["frontal_formats"]) for item, place in there if item["frontal"]]
        return {
            "photo_items": [item for item in media if item["type"] == "photo"],
            "frontals": [media[0] | {"formats": formats} for formats in frontal],
            "link_items": [item for item in media if item["type"] == "link"],
        }

    def _descriptions(self, kind: Record, number: int) -> list[Record]:
        first, second = (*self.locales, "")[:2]
        asked = [(first, "full_description")] if number & 1 else []
        asked += [(second, "full_description")] if number & 2 and second else []
        asked += [(first, "usage")] if number & 1 and kind["usage"] else []
        intro = f'<p class="intro"><b>{kind["line"]}</b> 100 % '
        return [
            {
                "id": f"##text+{place}",
                "locales": [locale],
                "targetGroups": ["public", "pharmacist"] if number // 8 % 3 else ["public"],
                "type": sort,
                "content": {locale: f"{intro}{WORDS['sentences'][locale]}</p>"},
                "meta": "##meta",
            }
            for place, (locale, sort) in enumerate(asked)
        ]

    def _leaflets(self, kind: Record, variant: int) -> list[Record]:
        shown = list(self.locales[:2])
        url = {loc: f"{self.files_url}/media/#text#/leaflet-{loc}.pdf" for loc in shown}
        sort = "pil" if variant % 2 else "spc"
        return [{"id": "##text+9", "locales": shown, "type": sort, "url": url, "meta": "##meta"}] * kind["medicine"]

    def media_item(self, number: int, place: str) -> Record:
        """Return the template of a media item of kind `number`, with its id in the place `place`."""
        item, locales = MEDIA[number], list(self.locales[: 1 + number % 2])
        record: Record = {"id": f"##{place}", "type": item["type"], "locales": locales}
        record["targetGroups"] = item["targetGroups"]
        if item["type"] == "photo":
            record |= {"photoType": item["photoType"], "visibleSides": item["visibleSides"]}
            record["formats"] = self._formats(place, WORDS["photo_formats"])
        else:
            record |= {"linkType": item["linkType"], "url": f"{self.files_url}/media/#{place}#/page.html"}
            record |= {"name": dict.fromkeys(locales, "Brochure"), "description": dict.fromkeys(locales, "<p>PDF</p>")}
            record["available"] = {"from": FIRST, "until": None}
        return record | {"organizations": [{"name": "#organization_text#"}], "meta": "##meta"}

    def _formats(self, place: str, files: dict[str, str]) -> Record:
        return {key: f"{self.files_url}/media/#{place}#/{name}" for key, name in files.items()}
