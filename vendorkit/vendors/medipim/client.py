"""
Medipim, API v4: health products, brands and related records.

Authentication is HTTP Basic with the key's id and secret. Queries are POST requests that only read. Pages have at most
250 records and show the first 10,000. Larger results are fetched as a stream of JSON lines, or in windows by time of
creation. The source is excerpts of the vendor's documentation; what they leave open is marked "inferred".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from vendorkit.resource import Resource
from vendorkit.settings import MASK
from vendorkit.strictjson import strict_value
from vendorkit.tools.snippets import Request, php_text
from vendorkit.vendors.bound import BoundResource
from vendorkit.vendors.client import Client
from vendorkit.vendors.declared import Declared, read_countries, read_resources
from vendorkit.vendors.hosts import Environment
from vendorkit.vendors.medipim.changes import Updated
from vendorkit.vendors.medipim.paging import Lookup, Whole, Windowed

FILE: Final = Path(__file__).with_name("resources.txt")
# The documented limit is 100 requests per minute per key. The margin allows for clocks that differ.
RATES: Final = ((97, 60.0),)


def php_client(request: Request) -> str:
    """Return a PHP program that sends *request* with the vendor's client."""
    parts = urlsplit(request.url)
    body = "" if request.body is None else f", {_php_value(json.loads(request.body))}"
    key = ", ".join(f'getenv("{name}")' for name in request.signing.variables)
    return (
        f"<?php\n$client = new \\Medipim\\Api\\Client({key}, {php_text(f'{parts.scheme}://{parts.netloc}')});\n"
        f"$response = $client->{request.method.lower()}({php_text(request.path)}{body});\n"
    )


def _php_value(value: Any) -> str:
    if value == {}:
        return "new \\stdClass()"  # an empty array would become a list in JSON
    if isinstance(value, dict):
        return "[" + ", ".join(f"{php_text(key)} => {_php_value(item)}" for key, item in value.items()) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(_php_value(item) for item in value) + "]"
    return php_text(value) if isinstance(value, str) else json.dumps(value)


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
    setting_names = ("MEDIPIM_COUNTRY", "MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")
    logins = MappingProxyType({"default": ("basic", "MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")})
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
        """Return *url* without /v4: the vendor's pages show it with and without (inferred: both are the same host)."""
        return super().clean_base_url(url).removesuffix("/v4")

    def declare(self) -> Sequence[Resource]:
        """Return the resources with the country's identifiers and locales."""
        listed = read_resources(FILE, self.country).values()
        offered = (known for known in listed if self.country in known.values.get("countries", (self.country,)))
        return [_resource(declared) for declared in offered]

    def ping(self) -> str:
        """Count the brands."""
        return f"the key is accepted; there are {self.brands.query().count():,} brands."

    def clean_answer(self, path: str, body: bytes) -> bytes:
        """Mask the secrets of API keys in the response of the subscription check."""
        if not path.rstrip("/").endswith("/check/subscription") or not body.strip():
            return body
        try:
            strict_value(body)
            return json.dumps(json.loads(body, object_hook=_without_secret), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return b'"The response is hidden, because it is not JSON and may contain secrets."'

    def may_repeat(self, method: str, path: str) -> bool:
        """Return True for the queries, streams and checks of the declared resources, which are POST but only read."""
        resources = self.declared.values()
        paths = {resource.path for resource in resources}
        paths |= {resource.path.replace("/query", "/stream") for resource in resources if resource.strategies}
        return method == "POST" and path in paths


def _without_secret(members: dict[str, Any]) -> dict[str, Any]:
    return {name: MASK if name.lower() == "secret" else value for name, value in members.items()}


def _resource(declared: Declared) -> Resource:
    name, values = declared.name, declared.values
    path, strategies = values["path"][0], values.get("strategies", ())
    # Only Australia's platform has pbs, as a code and as a sort key.
    absent = {"pbs"} - {column.wire for column in declared.schema.columns}
    sort_keys = tuple(key for key in values.get("sort", ()) if key not in absent)
    find = values.get("find", ())
    if "method" in values:
        whole = Whole(name, path, values["method"][0], declared.schema.key, *values.get("records", ()))
        nests = whole.method == "POST"
        return Resource(name, declared.about, path, declared.schema, whole, declared.filters, nests=nests)
    # Only products can be sorted by their name in one locale.
    locale = declared.schema.locales[0] if name == "products" else ""
    kind = Windowed if strategies else Lookup
    codes = any(known.name == "id" and known.kind == "code" for known in declared.filters)
    paging = kind(name, path, find[0] if find else None, find[1:], "id" if "id" in sort_keys else "", locale, codes)
    record_path = f"{find[0] if find else path}?id={{id}}"
    resource = Resource(name, declared.about, path, declared.schema, paging, declared.filters, sort_keys, record_path)
    changes = Updated(paging) if isinstance(paging, Windowed) else None
    return replace(resource, strategies=strategies, nests=True, changes=changes)
