"""What the local Medipim vendor's handlers share: reading a request, and one catalogue with all that reads it."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vendorkit.local.medipim import oddities as medipim_oddities
from vendorkit.local.medipim.bodies import Bodies
from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.filters import MediaFilter, Violation
from vendorkit.local.medipim.lookups import Lookups, encode
from vendorkit.local.medipim.products import ProductFilter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from vendorkit.local.medipim.rows import Ints
    from vendorkit.local.server.settings import Settings

PAGE_SIZES: Final = (10, 50, 100, 250)
_KEPT: Final = 8  # answers kept: 8 MB each for a million records


class BadRequest(Exception):
    """The body is not the JSON object that the endpoint reads."""


async def read_json(request: Request) -> dict[str, Any]:
    """Return the body as an object; nothing, `{}` and PHP's `[]` are all empty (Medipim's documents)."""
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        text = "The request body is not valid JSON."
        raise BadRequest(text) from error
    if value == []:
        return {}
    if not isinstance(value, dict):
        text = "The request body must be a JSON object."
        raise BadRequest(text)
    return value


def page_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return number and size of the page asked for; a Violation where they are not the vendor's."""
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
    """Refuse unknown and missing members of a request."""
    for name in body:
        if name not in known:
            raise Violation(name, f"unknown member, known: {', '.join(known)}")
    for name in required:
        if name not in body:
            raise Violation(name, "is required")


class Shop:
    """One catalogue with all that reads it; made anew when seed, country or sizes change."""

    def __init__(self, settings: Settings, base_url: str) -> None:
        self.catalogue = Catalogue(settings)
        self.lookups = Lookups(self.catalogue)
        self.bodies = Bodies(self.catalogue, self.lookups, base_url)
        suppliers = [org["id"] for org in self.lookups.organizations]
        self.products = ProductFilter(self.catalogue, self.lookups)
        self.media = MediaFilter(self.catalogue, suppliers)
        self.deleted = self.catalogue.changed.deleted
        self._answers: OrderedDict[str, Ints] = OrderedDict()

    def select(self, kind: str, body: Mapping[str, Any]) -> Ints:
        """Return the indexes that a request is about. The last few answers are kept: the next page asks again."""
        key = kind + json.dumps([body["filter"], body["sorting"]], sort_keys=True)
        if key not in self._answers:
            chooser = self.products if kind == "products" else self.media
            found = chooser.select(body["filter"], body["sorting"])
            self._answers[key] = found[~np.isin(found if kind == "products" else found // 2, self.deleted)]
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return self._answers[key]

    def encoded(self, kind: str, index: Ints, wrong_rate: float) -> Iterator[bytes]:
        """Yield records as JSON; a share of them with wrong types."""
        bodies = self.bodies.products(index) if kind == "products" else self.bodies.media(index)
        if not wrong_rate:
            return bodies
        return self._with_wrong_types(index.tolist(), bodies, wrong_rate)

    @staticmethod
    def _with_wrong_types(index: list[int], bodies: Iterator[bytes], rate: float) -> Iterator[bytes]:
        for number, body in zip(index, bodies, strict=True):
            struck = medipim_oddities.struck(number, rate)
            yield encode(medipim_oddities.wrong_types(json.loads(body), number)) if struck else body
