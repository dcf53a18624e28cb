"""Basic authentication, and what all schemes have in common: nothing of a credential is shown."""

from __future__ import annotations

import copy
import io
import json
import pickle
from pathlib import Path

import pytest
import requests
from auth_servers import walk

from vendorkit.auth import Basic, ClientCredentials, Digest
from vendorkit.auth.flow import origin_of
from vendorkit.errors import UsageError
from vendorkit.settings import Secret

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pledg_signatures.json").read_text())


def header(user, password):
    return (
        requests.Request("GET", "https://vendor.example/", auth=Basic(user, password))
        .prepare()
        .headers["Authorization"]
    )


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),
        *[(vector["username"], vector["password"], vector["header"]) for vector in VECTORS["basic"]],
        ("u", "", "Basic dTo="),
        ("u", "a:b", "Basic dTphOmI="),
    ],
    ids=["RFC 7617 section 2", "RFC 7617 section 2.1", "V8", "empty password", "colon in the password"],
)
def test_the_header_is_that_of_rfc_7617_in_utf_8(user, password, expected):
    """A19, A20."""
    assert header(user, password) == expected


SCHEMES = {
    "Basic": Basic,
    "Digest": Digest,
    "ClientCredentials": lambda user, password: ClientCredentials("https://vendor.example/token", user, password),
}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("user", "sentinel\n"),
        ("user", " sentinel"),
        ("user", "senti\x00nel"),
        ("user", "senti\x85nel"),
        ("user", "sentinel\ud800"),
        ("sentinel\r\nX-Injected: 1", "word"),
        ("sentinel\t", "word"),
        ("sentinel\x7f", "word"),
        (b"sentinel", "word"),
        ("user", None),
    ],
)
def test_malformed_credentials_are_refused_without_an_echo(scheme, user, password):
    """A20, A21, D9: a copied line end would make a header that http.client echoes."""
    with pytest.raises(UsageError) as caught:
        scheme(user, password)
    assert "sentinel" not in walk(caught.value)
    traceback = caught.value.__traceback__
    while traceback:
        if "vendorkit/auth" in traceback.tb_frame.f_code.co_filename:
            assert "sentinel" not in repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next


def test_a_colon_in_the_user_name_is_refused():
    """A19: it would end the name."""
    with pytest.raises(UsageError, match="RFC 7617") as caught:
        Basic("sentinel:x", "word")
    assert "sentinel" not in walk(caught.value)


def test_a_colon_in_a_digest_user_is_allowed():
    """RFC 7616 hashes it; only Basic ends the name there."""
    assert repr(Digest("a:b", "word")) == "Digest(***)"


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
def test_no_repr_shows_anything(scheme):
    """S14: neither the object's nor those of its attributes."""
    auth = scheme("sentinel-user", "sentinel-word")
    assert "sentinel" not in repr(auth) + str(auth) + repr(vars(auth))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
@pytest.mark.parametrize("action", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_pickling_is_refused_with_the_way_out(scheme, action):
    """S14, D19."""
    with pytest.raises(UsageError, match="environment"):
        action(scheme("user", "word"))


def test_neither_a_signed_request_nor_its_answer_can_be_pickled(serve):
    """S11, S14: both carry the header."""
    server = serve()
    answer = requests.get(server.url, auth=Digest("user", "word"), timeout=10)
    for each in (answer, answer.request, Secret("word")):
        with pytest.raises(UsageError, match="cannot be pickled"):
            pickle.dumps(each)


def test_a_generator_body_is_no_trouble_for_basic(serve):
    """It is sent once."""
    server = serve()
    assert requests.post(server.url, data=iter([b"a", b"b"]), auth=Basic("user", "word"), timeout=10).status_code == 200
    assert server.log[0].body == b"ab"


def test_basic_stays_inside_its_origin(serve):
    """T22: kept on a redirect to the same origin, dropped for another port."""
    here, there = serve(), serve()
    here.answer = lambda seen: (302, [("Location", seen.target[2:])], b"") if seen.target[1] == "?" else (200, [], b"")
    requests.get(f"{here.url}/?/x", auth=Basic("user", "word"), timeout=10)
    assert here.log[-1].authorization is not None
    requests.get(f"{here.url}/?{there.url}/x", auth=Basic("user", "word"), timeout=10)
    assert [seen.authorization for seen in there.log] == [None]


def test_basic_does_not_climb_from_http_to_https(monkeypatch):
    """Requests keeps the header there; another scheme is another origin."""
    seen = []

    def send(self, request, **how):
        seen.append((request.url, request.headers.get("Authorization")))
        response = requests.Response()
        response.status_code, response.request, response.url, response.raw = 200, request, request.url, io.BytesIO()
        if request.url.startswith("http:"):
            response.status_code = 302
            response.headers["Location"] = "https://vendor.example/"
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    requests.get("http://vendor.example/", auth=Basic("user", "word"), timeout=10)
    assert seen[1] == ("https://vendor.example/", None)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Vendor.Example:443/a?b", "https://vendor.example"),
        ("http://vendor.example:80", "http://vendor.example"),
        ("https://vendor.example:80/", "https://vendor.example:80"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://Bücher.example/ä", "https://xn--bcher-kva.example"),
        ("https://\u0430pi.example:8443", "https://xn--pi-6kc.example:8443"),
    ],
)
def test_origins_compare_with_default_ports_left_out(url, origin):
    """RFC 6454 section 6.2."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    ["https://user:sentinel@vendor.example/", "https://vendor.example:x/", "https:///x", "", "https://\uff45.example/"],
)
def test_a_url_without_a_proper_origin_is_refused(url):
    """S15: credentials in a URL are not echoed."""
    with pytest.raises(UsageError) as caught:
        origin_of(url)
    assert "sentinel" not in walk(caught.value)
