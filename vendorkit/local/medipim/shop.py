"""What the Medipim handlers have in common: the checks of a request, and a catalogue with filters and encoders."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request

from vendorkit.local.medipim import oddities
from vendorkit.local.medipim.bodies import Bodies
from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.filters import MediaFilter, Violation
from vendorkit.local.medipim.kinds import Ints
from vendorkit.local.medipim.lookups import Lookups, encode
from vendorkit.local.medipim.products import ProductFilter
from vendorkit.local.server.settings import Settings

PAGE_SIZES: Final = (10, 50, 100, 250)
_KEPT: Final = 8  # results of filters, of 8 MB each for a million records


async def read_json(request: Request) -> dict[str, Any]:
    """Return the body as an object; an empty body and PHP's `[]` mean `{}` (Medipim's documents)."""
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The request body is not valid JSON.") from error
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise HTTPException(400, "The request body must be a JSON object.")
    return value


def page_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return number and size of the requested page. Raise Violation if the vendor does not allow them."""
    page = body["page"] or {}
    if not isinstance(page, dict) or set(page) - {"no", "size"}:
        raise Violation(field="page", message="must be an object with no and size")
    number, size = page.get("no", 0), page.get("size", 100)
    if type(number) is not int or number < 0:
        raise Violation(field="page.no", message="must be an integer from 0 on")
    if type(size) is not int or size not in PAGE_SIZES:
        raise Violation(field="page.size", message=f"must be one of {', '.join(map(str, PAGE_SIZES))}")
    return number, size


def need(body: Mapping[str, Any], known: tuple[str, ...], required: tuple[str, ...]) -> None:
    """Raise Violation for unknown and missing members of a request."""
    for name in body:
        if name not in known:
            raise Violation(name, f"unknown member, known: {', '.join(known)}")
    for name in required:
        if name not in body:
            raise Violation(name, "is required")


class Shop:
    """One catalogue with its filters and encoders; rebuilt when seed, country, sizes or changes differ."""

    def __init__(self, settings: Settings, base_url: str, files_url: str) -> None:
        self.settings = settings
        self.catalogue = Catalogue(settings)
        self.lookups = Lookups(self.catalogue)
        self.bodies = Bodies(self.catalogue, self.lookups, base_url, files_url)
        self.products = ProductFilter(self.catalogue, self.lookups)
        self.media = MediaFilter(self.catalogue)
        self.deleted = self.catalogue.changed.deleted
        self._answers: OrderedDict[str, Ints] = OrderedDict()

    def select(self, kind: str, body: Mapping[str, Any]) -> Ints:
        """Return the indexes that a request selects. The last few results are kept for the next pages."""
        key = kind + json.dumps([body["filter"], body["sorting"]], sort_keys=True)
        if key not in self._answers:
            chooser = self.products if kind == "products" else self.media
            found = chooser.select(body["filter"], body["sorting"])
            self._answers[key] = found[~np.isin(found if kind == "products" else found // 2, self.deleted)]
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return self._answers[key]

    def encoded(self, kind: str, index: Ints) -> Iterator[bytes]:
        """Return the records at *index* as JSON, changed by the switches that apply to all records."""
        bodies = self.bodies.products(index) if kind == "products" else self.bodies.media(index)
        settings = self.settings
        if not (settings.wrong_type_rate or settings.new_fields or settings.codes_as_numbers or settings.writes):
            return bodies
        return (self._changed(kind, number, body) for number, body in zip(index.tolist(), bodies, strict=True))

    def _changed(self, kind: str, number: int, body: bytes) -> bytes:
        record = json.loads(body)
        if kind == "products":
            record = oddities.later(record, self.settings) | self.catalogue.changed.fields.get(number, {})
        return encode(oddities.corrupt(record, number, self.settings.wrong_type_rate))
