"""What is kept of an exchange explains it, and opens nothing."""

from __future__ import annotations

import base64

import pytest

import vendorkit as vk
from vendorkit.http.exchanges import Exchanges, masked

DIGEST = (
    'Digest username="robot, \\"the\\" first", realm="Movida", nonce="c0ffee", uri="/api/titles?a=1", '
    'response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="made-up", qop=auth, nc=00000001, '
    'opaque="thick"'
)


def kept(url: str = "https://vendor.example/x", sent=None, received=None, status: int | None = 200):
    """The one exchange that was noted."""
    exchanges = Exchanges()
    exchanges.note("GET", url, status, sent or {}, received or {}, 0.25)
    return exchanges.all()[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("bearer eyJhbGciOi.payload.signature", "bearer ***"),
        ("Token made-up, more", "Token ***"),
        ("made-up-without-a-scheme", "***"),
        ("", "***"),
    ],
)
def test_credential_after_the_scheme_is_masked(value, shown):
    """The scheme stays, for it explains; a value without one is taken for a credential."""
    assert masked({"Authorization": value}) == {"Authorization": shown}


def test_name_of_the_header_may_be_in_any_case():
    """HTTP knows no case in names."""
    assert masked({"AUTHORIZATION": "Basic eDp5"}) == {"AUTHORIZATION": "Basic ***"}


def test_digest_answer_keeps_what_explains_it():
    """Realm, nonce, uri, qop and count are shown; who, the hash and the client's nonce are not."""
    shown = masked({"Authorization": DIGEST})["Authorization"]
    for part in (
        'realm="Movida"',
        'nonce="c0ffee"',
        'uri="/api/titles?a=1"',
        "qop=auth",
        "nc=00000001",
        "algorithm=MD5",
    ):
        assert part in shown
    for secret in ("robot", "first", "0123456789abcdef", "made-up"):
        assert secret not in shown
    assert shown.count("***") == 3


@pytest.mark.parametrize("user", ["username*=UTF-8''J%C3%BCrgen", "username=robot", 'username = "robot"'])
def test_digest_user_is_masked_in_every_form(user):
    """Extended notation, without quotes, with blanks (RFC 7616 section 3.4.4)."""
    shown = masked({"Authorization": f'Digest {user}, realm="Movida"'})["Authorization"]
    assert "robot" not in shown
    assert "rgen" not in shown
    assert 'realm="Movida"' in shown


@pytest.mark.parametrize("name", ["Cookie", "Set-Cookie", "Proxy-Authorization"])
def test_cookies_and_proxy_credentials_are_masked_whole(name):
    """Nothing of them explains how a vendor is spoken to."""
    assert masked({name: "session=made-up; Secure"}) == {name: "***"}


def test_other_headers_are_kept_as_they_are():
    """The challenge above all: it is what the next request answers."""
    headers = {"WWW-Authenticate": 'Digest realm="Movida", nonce="c0ffee"', "Accept": "application/json", "Age": "7"}
    assert masked(headers) == headers


@pytest.mark.parametrize("name", ["signature", "mac", "token", "access_token", "key", "api_key", "client_secret"])
def test_credential_in_the_query_is_masked(name):
    """Pledg's links carry a signature, and OAuth servers take tokens there; the other parameters stay."""
    exchange = kept(f"https://vendor.example/x?page=2&{name}=made-up.jwt%3D&size=10#top")
    assert exchange.url == f"https://vendor.example/x?page=2&{name}=***&size=10#top"
    assert f"> GET /x?page=2&{name}=***&size=10" in exchange.text()


def test_words_that_only_look_like_it_are_kept():
    """A sort key, a path, and a value that says `token`."""
    url = "https://vendor.example/token/key=1?keyword=milk&monkey=1&type=token&per_page=5"
    assert kept(url).url == url


def test_redirect_with_a_signature_is_masked_too():
    """The answer's Location is an address like any other."""
    received = {"Location": "https://vendor.example/purchase?signature=made-up&lang=fr"}
    assert kept(received=received).received == {"Location": "https://vendor.example/purchase?signature=***&lang=fr"}


def test_exchange_reads_as_request_and_answer():
    """Request line, headers, status, headers; and so where no answer came."""
    text = kept("https://vendor.example", {"Accept": "*/*"}, {"Age": "7"}).text()
    assert text.split("\n") == ["> GET /", "> Accept: */*", "< 200", "< Age: 7"]
    assert kept(status=None).text().endswith("< no answer")


def test_only_the_last_exchanges_are_kept():
    """A long pull does not fill the memory."""
    exchanges = Exchanges()
    for number in range(300):
        exchanges.note("GET", f"https://vendor.example/{number}", 200, {}, {}, 0.0)
    assert [one.url.rsplit("/", 1)[1] for one in exchanges.all()] == [str(number) for number in range(100, 300)]
    exchanges.clear()
    assert exchanges.all() == []


@pytest.mark.parametrize("vendor", ["medipim", "pledg", "mediagenix"])
def test_client_shows_the_exchanges_of_authentication_masked(vendors, vendor):
    """The token request and the challenge are among them; the table and the texts hold no credential."""
    client = vk.connect(vendor, environment="local")
    client.ping()
    table = client.exchanges
    schemes = {text.split(" ")[0] for text in table["authorization"] if text}
    assert schemes == {"medipim": {"Basic"}, "pledg": {"Basic", "Bearer"}, "mediagenix": {"Digest"}}[vendor]
    shown = table.to_string() + "".join(one.text() for one in client.session.exchanges.all())
    for user, password in client.credential_pairs():
        pair = base64.b64encode(f"{user}:{password}".encode()).decode().rstrip("=")
        assert not [form for form in (user, password, pair) if form in shown]
    if vendor == "mediagenix":
        assert list(table["status"]) == [401, 200]
        # Also from a server that writes the names of headers in lower case.
        assert table["challenge"].str.contains("nonce=").tolist() == [True, False]
