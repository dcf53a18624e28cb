"""
Medipim, API v4: health products, brands and related records.

HTTP Basic with the key's id and secret; queries by POST that only read; pages of at most 250 within a window of 10,000;
beyond the window a stream of JSON lines, or windows by time of creation. From excerpts of its pages; what they
leave open is marked "inferred".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from requests.auth import AuthBase

from vendorkit.auth import Basic
from vendorkit.resource import Resource, Signing
from vendorkit.settings import MASK
from vendorkit.strictjson import strict_value
from vendorkit.vendors.bound import BoundResource
from vendorkit.vendors.client import Client
from vendorkit.vendors.declared import Declared, read_countries, read_resources
from vendorkit.vendors.hosts import Environment
from vendorkit.vendors.medipim.changes import Updated
from vendorkit.vendors.medipim.paging import Lookup, Whole, Windowed
from vendorkit.vendors.medipim.php_client import php_client

FILE: Final = Path(__file__).with_name("resources.txt")
# The documented budget is 100 requests per minute and key; a few are left for clocks that differ.
RATES: Final = ((97, 60.0),)
_KEY: Final = ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")


class Medipim(Client):
    """A Medipim client: `products`, `media`, `brands`, `organizations`, `public_categories` and more."""

    products: BoundResource
    media: BoundResource
    brands: BoundResource
    organizations: BoundResource
    public_categories: BoundResource
    product_families: BoundResource
    active_ingredients: BoundResource
    attributes: BoundResource
    attribute_options: BoundResource
    corrections: BoundResource
    correction_types: BoundResource
    updates: BoundResource
    bcfi_categories: BoundResource
    osp_categories: BoundResource
    medipim_categories: BoundResource
    users: BoundResource
    subscription_types: BoundResource
    subscriptions: BoundResource
    product_fields: BoundResource
    media_fields: BoundResource

    vendor_name = "medipim"
    label = "Medipim"
    setting_names = ("MEDIPIM_COUNTRY", *_KEY)
    countries = tuple(read_countries(FILE))
    asks_contact = True
    snippet_writers = {"php-client": ("PHP (Medipim client)", php_client)}  # noqa: RUF012 - a constant
    environments = {  # noqa: RUF012 - a constant
        "sandbox": Environment("https://api.sandbox.{host}", RATES),
        "production": Environment("https://api.{host}", RATES),
    }

    @classmethod
    def url_of(cls, environment: Environment, country: str | None) -> str:
        """Return the base URL of the country's platform."""
        return environment.base_url.format(host=read_countries(FILE)[country or cls.countries[0]]["host"][0])

    @classmethod
    def clean_base_url(cls, url: str) -> str:
        """Return a base URL without /v4: the vendor's pages write it with and without (inferred: both are meant)."""
        return super().clean_base_url(url).removesuffix("/v4")

    def declare(self) -> Sequence[Resource]:
        """Return the resources with the country's identifiers and locales."""
        declared = read_resources(FILE, self.country).values()
        return [_resource(one) for one in declared if self.country in one.values.get("countries", (self.country,))]

    def schemes(self) -> Mapping[str, AuthBase]:
        """HTTP Basic, for everything."""
        return {"default": Basic(*self.credential_pairs()[0])}

    def signing(self, scheme: str | None) -> Signing:
        """HTTP Basic with the key's id and secret."""
        return Signing("basic", _KEY) if scheme else Signing()

    def credential_pairs(self) -> list[tuple[str, str]]:
        """The key's id and secret."""
        found = self.settings.require(_KEY, why=self.title)
        return [(found[_KEY[0]], found[_KEY[1]])]

    def ping(self) -> str:
        """Count the brands."""
        return f"the key is accepted; there are {self.brands.query().count():,} brands."

    def clean_answer(self, path: str, body: bytes) -> bytes:
        """Mask the secrets of API keys, which the check of subscriptions answers."""
        if not path.rstrip("/").endswith("/check/subscription") or not body.strip():
            return body
        try:
            return json.dumps(_without_secrets(strict_value(body)), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return b'"An answer that is not JSON was withheld, because it may hold secrets."'

    def may_repeat(self, method: str, path: str) -> bool:
        """Queries and streams of the declared resources, and checks, are POSTs that only read."""
        reads = {one.path for one in self.declared.values()}
        reads |= {one.path.replace("/query", "/stream") for one in self.declared.values() if one.strategies}
        return method == "POST" and path in reads


def _without_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: MASK if name.lower() == "secret" else _without_secrets(one) for name, one in value.items()}


def _resource(declared: Declared) -> Resource:
    name, values = declared.name, declared.values
    path, sort_keys, strategies = values["path"][0], values.get("sort", ()), values.get("strategies", ())
    find = values.get("find", ())
    if "method" in values:
        whole = Whole(name, path, values["method"][0], declared.schema.key, *values.get("records", ()))
        return Resource(name, declared.about, path, declared.schema, whole, declared.filters)
    # Only products are sorted by the name in one locale.
    locale = declared.schema.locales[0] if name == "products" else ""
    kind = Windowed if strategies else Lookup
    codes = any(one.name == "id" and one.kind == "code" for one in declared.filters)
    paging = kind(name, path, find[0] if find else None, find[1:], "id" if "id" in sort_keys else "", locale, codes)
    record_path = f"{find[0] if find else path}?id={{id}}"
    resource = Resource(name, declared.about, path, declared.schema, paging, declared.filters, sort_keys, record_path)
    changes = Updated(paging) if isinstance(paging, Windowed) else None
    return replace(resource, strategies=strategies, nests=True, changes=changes)
