"""Code for Medipim's own PHP client that sends a request."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from vendorkit.tools.snippets import Request, php_text


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
