"""A fourth vendor: all that vendorkit has to know about it. `docs/adding-a-vendor.md` shows the same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

import requests

from vendorkit.ask import Ask, Filter
from vendorkit.frames import Column, Kind, Page, Schema
from vendorkit.http.call import Call
from vendorkit.resource import NEXT, Accept, Flow, Paging, Resource, Signing
from vendorkit.settings import Secret
from vendorkit.vendors.client import Client
from vendorkit.vendors.hosts import Environment

PER_PAGE = 100
COLUMNS = (Column("id", Kind.CODE), Column("name", Kind.TEXT), Column("length", Kind.NUMBER, "lengthM", unit="m"))


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


@dataclass(frozen=True)
class Numbered(Paging):
    """Pages are numbered from 1 and are JSON lists; the last one is not full."""

    path: str

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept pages; the next one is requested before a page is accepted."""
        number = cursor or 1
        yield [self._call(ask, number)]
        while (page := (yield NEXT)) is not None:
            full = page.rows == PER_PAGE
            if full and (ask.limit is None or ask.limit > number * PER_PAGE):
                yield [self._call(ask, number + 1)]
            number += 1
            yield Accept(page, number if full else None)

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """GET one record by its path."""
        page: Page = yield Call("GET", f"{self.path}/{quote(identifier, safe='')}")
        return page

    def _call(self, ask: Ask, number: int) -> Call:
        return Call("GET", self.path, params={**ask.filters, "page": number})


class Harbour(Client):
    """The ships of a harbour."""

    vendor_name = "harbour"
    label = "Harbour"
    setting_names = ("HARBOUR_TOKEN",)
    environments: ClassVar = {"production": Environment("https://api.harbour.example", rates=((60, 60.0),))}

    def declare(self) -> list[Resource]:
        """Return the resources; each is an attribute of the client."""
        schema, paging, flag = Schema("ships", COLUMNS, style="camel"), Numbered("/v1/ships"), Filter("flag")
        return [Resource("ships", "Ships.", paging.path, schema, paging, (flag,), record_path="/v1/ships/{id}")]

    def schemes(self) -> dict[str, requests.auth.AuthBase]:
        """Return the schemes by name; "default" signs all calls that name none."""
        self.settings.require(self.setting_names, why=self.title)
        return {"default": _Bearer(self.settings.values["HARBOUR_TOKEN"])}

    def signing(self, scheme: str | None) -> Signing:
        """Return how snippets in other languages sign."""
        return Signing("bearer", self.setting_names)
