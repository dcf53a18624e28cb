"""
A request as code in other languages, with the names of environment variables where secrets go.

The forms are those of the vendors' own pages: curl, PHP (cURL), Medipim's PHP client, Python's http.client; and
requests; and the lines of vendorkit itself that repeat the query. Texts are quoted for their language, so that a
filter value cannot break out of its string.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from vendorkit.ask import find_filter, suggestion
from vendorkit.errors import UsageError
from vendorkit.query import Query


@dataclass(frozen=True)
class _Request:
    """What the snippet has to say: the prepared request in parts, and how it is authenticated."""

    method: str
    url: str
    media: str
    body: str | None
    scheme: str  # "basic", "digest" or "none"
    user: str  # names of environment variables
    password: str

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def snippet(query: Query, language: str) -> str:
    """
    Return the first request of *query* as a program in *language*.

    Raises:
        UsageError: There is no such language, or not for this vendor.
    """
    if language == "vendorkit":
        return vendorkit_lines(query)
    if language not in _WRITERS:
        what = f"There is no snippet in {language!r}."
        raise UsageError(what, remedy=suggestion(language, ["vendorkit", *_WRITERS]))
    if language == "php-client" and query.client.vendor_name != "medipim":
        what = f"{query.client.title} has no PHP client."
        raise UsageError(what, remedy="Choose php.")
    return _WRITERS[language](_first_request(query))


def languages(vendor: str) -> list[str]:
    """Return the languages that `snippet` speaks for *vendor*."""
    return ["vendorkit", *(name for name in _WRITERS if name != "php-client" or vendor == "medipim")]


def vendorkit_lines(query: Query, **options: Any) -> str:
    """Return the lines that repeat *query* and fetch its frame, with *options* for `frame()`; all of its pages."""
    client = query.client
    where = {"environment": client.environment, "country": client.settings.get("MEDIPIM_COUNTRY")}
    form = {"expand": list(query.expand) or None, "accept": _unless(query.accept, client.accepts[0])}
    if query.url is not None:
        made = f"client.follow({', '.join([repr(query.url), *_arguments(form)])})"
    else:
        filters = {find_filter(query.resource.filters, name, "").name: value for name, value in query.filters.items()}
        given = {
            **filters,
            "where": query.where,
            "sort": query.sort,
            **form,
            "strategy": _unless(query.strategy, next(iter(query.resource.strategies), "")),
            "since": None if query.since is None else query.since.at,
        }
        made = f"client.{query.resource.name}.query({', '.join(_arguments(given))})"
    connected = ", ".join([repr(client.vendor_name), *_arguments(where)])
    return (
        f"import vendorkit as vk\n\nclient = vk.connect({connected})\n"
        f"query = {made}\nframe = query.frame({', '.join(_arguments(options))})\n"
    )


def _unless(value: str, usual: str) -> str | None:
    return None if value == usual else value


def _arguments(values: Mapping[str, Any]) -> list[str]:
    """Return keyword arguments as code; None stands for the default."""
    return [f"{name}={value!r}" for name, value in values.items() if value is not None]


def _first_request(query: Query) -> _Request:
    prepared = query.request()
    body = prepared.body.decode() if isinstance(prepared.body, bytes) else prepared.body
    scheme, names = {
        "medipim": ("basic", ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")),
        "mediagenix": ("digest", ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD")),
    }.get(query.client.vendor_name, ("none", ("", "")))
    return _Request(
        str(prepared.method),
        str(prepared.url),
        prepared.headers["Accept"],
        str(body) if body is not None else None,
        scheme,
        *names,
    )


def _curl(request: _Request) -> str:
    lines = [f"curl --request {request.method} {shlex.quote(request.url)}"]
    if request.scheme != "none":
        lines.append(f'--{request.scheme} --user "${request.user}:${request.password}"')
    lines.append(f"--header {shlex.quote(f'Accept: {request.media}')}")
    if request.body is not None:
        lines.append("--header 'Content-Type: application/json'")
        lines.append(f"--data-raw {shlex.quote(request.body)}")
    return " \\\n  ".join(lines)


def _requests(request: _Request) -> str:
    auth = {
        "basic": f'auth=(os.environ["{request.user}"], os.environ["{request.password}"])',
        "digest": f'auth=requests.auth.HTTPDigestAuth(os.environ["{request.user}"], os.environ["{request.password}"])',
    }.get(request.scheme)
    arguments = [repr(request.method), repr(request.url), f'headers={{"Accept": {request.media!r}}}']
    if request.body is not None:
        arguments.append(f"json={json.loads(request.body)!r}")
    arguments += [auth] if auth else []
    listed = "".join(f"    {argument},\n" for argument in (*arguments, "timeout=60"))
    return (
        "import os\n\nimport requests\n\n"
        f"response = requests.request(\n{listed})\n"
        "response.raise_for_status()\nprint(response.text)\n"
    )


def _python(request: _Request) -> str:
    if request.scheme == "digest":
        return _urllib_digest(request)
    headers: dict[str, str] = {"Accept": request.media}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    lines = ["import base64", "import http.client", "import os", "", f"headers = {headers!r}"]
    if request.scheme == "basic":
        lines += [
            f'pair = os.environ["{request.user}"] + ":" + os.environ["{request.password}"]',
            'headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()',
        ]
    lines += [
        f"connection = http.client.HTTPSConnection({urlsplit(request.url).netloc!r}, timeout=60)",
        f"connection.request({request.method!r}, {request.path!r}, {_bytes(request.body)}, headers)",
        "response = connection.getresponse()",
        'print(response.status, response.read().decode("utf-8"))',
    ]
    return "\n".join(lines) + "\n"


def _bytes(body: str | None) -> str:
    return "None" if body is None else repr(body.encode())


def _urllib_digest(request: _Request) -> str:
    # http.client has no digest; urllib, which is built on it, has.
    pair = f'os.environ["{request.user}"], os.environ["{request.password}"]'
    return "\n".join(
        (
            "import os",
            "import urllib.request",
            "",
            "passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()",
            f"passwords.add_password(None, {request.url!r}, {pair})",
            "opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(passwords))",
            f'request = urllib.request.Request({request.url!r}, headers={{"Accept": {request.media!r}}})',
            "with opener.open(request, timeout=60) as response:",
            '    print(response.status, response.read().decode("utf-8"))',
            "",
        )
    )


def _php(request: _Request) -> str:
    lines = ["<?php", f"$h = curl_init({_php_text(request.url)});"]
    lines.append(f"curl_setopt($h, CURLOPT_CUSTOMREQUEST, {_php_text(request.method)});")
    if request.scheme != "none":
        lines.append(f"curl_setopt($h, CURLOPT_HTTPAUTH, CURLAUTH_{request.scheme.upper()});")
        pair = f'getenv("{request.user}") . ":" . getenv("{request.password}")'
        lines.append(f"curl_setopt($h, CURLOPT_USERPWD, {pair});")
    headers = [f"Accept: {request.media}", *(["Content-Type: application/json"] if request.body is not None else [])]
    lines.append("curl_setopt($h, CURLOPT_RETURNTRANSFER, true);")
    lines.append(f"curl_setopt($h, CURLOPT_HTTPHEADER, [{', '.join(map(_php_text, headers))}]);")
    if request.body is not None:
        lines.append(f"curl_setopt($h, CURLOPT_POSTFIELDS, {_php_text(request.body)});")
    return "\n".join([*lines, "$response = curl_exec($h);", "echo $response;", ""])


def _php_client(request: _Request) -> str:
    parts = urlsplit(request.url)
    body = "" if request.body is None else f", {_php_value(json.loads(request.body))}"
    key = f'getenv("{request.user}"), getenv("{request.password}")'
    return (
        f"<?php\n$client = new \\Medipim\\Api\\Client({key}, {_php_text(f'{parts.scheme}://{parts.netloc}')});\n"
        f"$response = $client->{request.method.lower()}({_php_text(request.path)}{body});\n"
    )


def _php_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _php_value(value: Any) -> str:
    if value == {}:
        return "new \\stdClass()"  # an empty array would become a list in JSON
    if isinstance(value, dict):
        return "[" + ", ".join(f"{_php_text(key)} => {_php_value(item)}" for key, item in value.items()) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(_php_value(item) for item in value) + "]"
    return _php_text(value) if isinstance(value, str) else json.dumps(value)


_WRITERS: Final[dict[str, Callable[[_Request], str]]] = {
    "curl": _curl,
    "python": _python,
    "requests": _requests,
    "php": _php,
    "php-client": _php_client,
}
