"""The switch `json_whitespace`: whitespace between the tokens of JSON answers, for all vendors."""

from __future__ import annotations

import re

import httpx
import pytest

from vendorkit import local

BY_ID = {"filter": {}, "sorting": {"id": "ASC"}}
PAGE = {**BY_ID, "page": {"no": 0, "size": 10}}
JSON = {"Accept": "application/json"}
# An answer of each kind: with data, and errors of the routes, of the checks around them, and of a fault.
REQUESTS = [
    ("medipim", "POST", "/v4/products/query", {"json": PAGE}),
    ("medipim", "POST", "/v4/brands/query", {}),
    ("medipim", "GET", "/v4/brands/find?id=1", {"auth": None}),
    ("medipim", "GET", "/v4/nothing", {}),
    ("mediagenix", "GET", "/api/titles?expand=metadata", {"headers": JSON}),
    ("mediagenix", "GET", "/api/titles/999", {"headers": JSON}),
    ("sequence", "GET", "/api/work_areas/1/jobs", {"headers": JSON}),
    ("pledg", "GET", "/api/local/notifications?count=3", {}),
    ("pledg", "GET", "/api/merchants/unknown", {}),
]


@pytest.fixture(scope="module")
def servers():
    """Run small mock servers of all vendors."""
    with local.start(products=60, brands=5, titles=20) as running:
        yield running


@pytest.fixture
def ask(servers, open_client):
    """Return a function that sends a request with the right credentials; the switches are restored afterwards."""

    def send(vendor, method, path, *, whitespace, fault="", **options):
        server = servers[vendor]
        server.set(json_whitespace=whitespace, fail_next=[fault] if fault else [])
        pair = list(server.credentials.values())[:2]
        auth = {"medipim": httpx.BasicAuth, "pledg": httpx.BasicAuth}.get(vendor, httpx.DigestAuth)(*pair)
        with open_client(server) as client:
            return client.request(method, path, **{"auth": auth, **options})

    yield send
    for server in servers:
        servers[server].set(json_whitespace="compact", fail_next=[])


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request_: request_[2])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_json_answers_differ_only_in_whitespace(ask, request_, encoding):
    """Compact by default; "pretty" has line feeds and spaces, "crlf" also carriage returns and tabs."""
    vendor, method, path, options = request_
    options = {**options, "headers": {**options.get("headers", {}), "Accept-Encoding": encoding}}
    compact, pretty, crlf = (
        ask(vendor, method, path, whitespace=kind, **options) for kind in ("compact", "pretty", "crlf")
    )
    assert compact.status_code == pretty.status_code == crlf.status_code
    assert compact.json() == pretty.json() == crlf.json()
    assert b"\n" not in compact.content
    assert re.match(rb'\{\n  "', pretty.content)
    assert re.match(rb'\{\r\n\t"', crlf.content)
    assert b"\r" not in pretty.content
    assert not re.search(rb"(?<!\r)\n", crlf.content)


def test_an_error_of_a_fault_has_the_whitespace_too(ask):
    """A 503 from `fail_next` is formatted like any other answer."""
    answer = ask("medipim", "GET", "/v4/brands/find?id=1", whitespace="pretty", fault="503")
    assert answer.json()["error"]["status"] == 503
    assert answer.text.startswith('{\n  "error"')


def test_lines_and_xml_stay_as_they_are(ask):
    """Each record of a stream is on one line, and XML is not JSON."""
    for vendor, method, path, options in (
        ("medipim", "POST", "/v4/products/stream", {"json": BY_ID}),
        ("mediagenix", "GET", "/api/titles", {}),
    ):
        compact, pretty = (ask(vendor, method, path, whitespace=kind, **options) for kind in ("compact", "pretty"))
        assert compact.status_code == 200
        assert compact.content == pretty.content
