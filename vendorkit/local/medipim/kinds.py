"""
The table of the kinds of products: the facts that depend only on a product's kind, computed once.

There are 256 kinds (`variant`), each with the facts that templates and filters use, by the vendor's names. `shows` has
the kind's two media items; item n of variant v has the number 2 v + n. All words are in `words.json`, and all names are
invented. Its first brands have names that caused errors in clients; the others are combined from heads and tails.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
Record = dict[str, Any]
WORDS: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
CATEGORIES: Final = 640
_ROOTS: Final = len(WORDS["root_categories"])
_SECOND: Final = 64


class Code(NamedTuple):
    """
    One identifier of a country: `prefix` + number, `width` characters in all. With `width` 0 the field is always null.

    Source 0 is the national number, source 1 the national number of 13 digits. Documented widths are the vendor's.
    """

    name: str
    width: int = 0
    prefix: str = ""
    source: int = 0
    medicine: bool | None = None  # only on medicines (True), on other products (False), or on all (None)


CODES: Final = {country: tuple(Code(*code) for code in codes) for country, codes in WORDS["codes"].items()}


def parent_category(category: int) -> int | None:
    """Return the index of the parent. There are 8 roots, 64 categories below them, and the rest below these."""
    if category < _ROOTS:
        return None
    below = category - _ROOTS
    return below % _ROOTS if below < _SECOND else _ROOTS + (below - _SECOND) % _SECOND


def _kind(v: int) -> Record:
    form = WORDS["forms"][v % 16]
    step = (v // 16 + v) % 4
    size, atc, items = form["sizes"][step], form["atc"], [_media(2 * v), _media(2 * v + 1)]
    weight = None if v % 8 == 1 else size + 60
    return {
        **form,
        **WORDS["storage"]["refrigerator" if v % 16 == 6 else "room"],
        **_measures(weight=weight, width=40 + v % 90, length=90 + v, depth=30 + v % 50),
        **_links(v, medicine=form["medicine"]),
        "line": WORDS["lines"][v // 16],
        "tail": f"{size}{form['unit']}",
        "usual_price": form["price"] * (4 + step) // 5,
        "notApplicableField": ["depth"] if v % 20 == 0 else [],
        "allowedSpecies": WORDS["species"][v % 40 == 7],
        "atcCategory": [atc] if atc else [],
        "biocide": v % 64 == 5,
        "narcotic": False,
        "prescription": atc is not None and v % 3 == 0,
        "written": atc is not None and v % 7 == 0,
        "packageContent": None if v % 4 else f"{size} {form['unit']}",
        "packageQuantity": str(size),
        "usage": v % 4 == 0,  # whether there is a description of type `usage` in the first locale
        "languages": WORDS["languages"][v % 3],  # whether there is a name, by locale
        "shows": items,
        "photos": [item["number"] for item in items if item["linked"] and item["type"] == "photo"],
    }


def _links(v: int, *, medicine: bool) -> Record:
    """Return the ids and codes of the records that a kind links to."""
    leaf = _ROOTS + _SECOND + v % _ROOTS + _ROOTS * (v * 5 % 71)
    second = leaf - _ROOTS if leaf > 2 * _SECOND else leaf + _ROOTS
    return {
        "publicCategory": [leaf + 1] if v % 5 else [leaf + 1, second + 1],
        "productFamily": [v % 13 + 1] if v % 3 == 0 else [],
        "activeIngredient": [v % 50 + 1, (v * 7 + 1) % 50 + 1][: 1 + v % 2] if medicine else [],
        "attributes": [v % 30 + 1, (v + 11) % 30 + 1] if v % 4 == 0 else [],
        "gs1Category": f"1000{v % 16:04d}" if v % 6 == 0 else None,
        "apb": WORDS["apb"][v % 3] if v % 2 else None,
        "bcfi": f"000{v % 40 + 1:04d}" if medicine else None,
        "reimbursed": 65 if medicine else None,
    }


def _measures(**values: int | None) -> Record:
    units = {name: "g" if name == "weight" else "mm" for name in values}
    measures = {name: value and {"value": value, "unit": units[name]} for name, value in values.items()}
    return {**values, **{f"{name}WithUnit": measure for name, measure in measures.items()}}


def _media(item: int) -> Record:
    """Return the facts of a media item. Products link only to `linked` items."""
    is_link, first = item % 20 == 1, item % 2 == 0
    sides = ["front"] if item // 2 % 8 == 0 else ["front", WORDS["sides"][1 + item // 2 % 5]]
    frontal = not is_link and first and len(sides) == 1  # a packshot that shows only the front
    return {
        "number": item,
        "linked": item // 2 % 12 != 3 and item % 4 != 3,
        "type": "link" if is_link else "photo",
        "frontal": frontal,
        "targetGroups": ["public", "webshop"] if item % 3 == 0 else ["public"],
        "photoType": None if is_link else WORDS["photo_types"][0 if first else 1 + item // 2 % 3],
        "linkType": WORDS["link_types"][item // 20 % 4] if is_link else None,
        "visibleSides": [] if is_link else sides,
        "types": ["link"] if is_link else ["photo", "frontal"][: 1 + frontal],
    }


KINDS: Final = [_kind(variant) for variant in range(256)]
MEDIA: Final = [item for kind in KINDS for item in kind["shows"]]


def of_kinds(fits: Callable[[Record], bool], numbers: Ints, table: list[Record] = KINDS) -> Bits:
    """Return where `fits` is true for the kind whose number is in a column."""
    return np.take(np.array([fits(kind) for kind in table], dtype=np.bool_), numbers)
