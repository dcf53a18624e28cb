"""The notes on an exchange explain it, and contain no credential."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest

import vendorkit as vk
from tests.https import JSON, SECRET, always, answer, client_of, raw_server, session_of
from vendorkit.http.answers import form_error
from vendorkit.http.call import Call, Policy
from vendorkit.http.exchanges import Exchange, Exchanges, masked
from vendorkit.settings import Redactor

DIGEST = (
    'Digest username="robot, \\"the\\" first", realm="Movida", nonce="c0ffee", uri="/api/titles?a=1", '
    'response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="made-up", qop=auth, nc=00000001, '
    'opaque="thick"'
)


def kept(url: str = "https://vendor.example/x", sent=None, received=None, status: int | None = 200):
    """The only exchange that was noted."""
    exchanges = Exchanges()
    exchanges.note(Exchange("GET", url, status, sent or {}, received or {}, 0.25))
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
    """The scheme is shown; a value without one is taken for a credential."""
    assert masked({"Authorization": value}) == {"Authorization": shown}


def test_name_of_the_header_may_be_in_any_case():
    """Header names are case-insensitive in HTTP."""
    assert masked({"AUTHORIZATION": "Basic eDp5"}) == {"AUTHORIZATION": "Basic ***"}


def test_digest_response_keeps_the_parameters_that_explain_it():
    """Realm, nonce, uri, qop and count are shown; user, hash and the client's nonce are not."""
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
    """Nothing in them helps to understand the exchange."""
    assert masked({name: "session=made-up; Secure"}) == {name: "***"}


def test_other_headers_are_kept_as_they_are():
    """The challenge above all: it is what the next request answers."""
    headers = {"WWW-Authenticate": 'Digest realm="Movida", nonce="c0ffee"', "Accept": "application/json", "Age": "7"}
    assert masked(headers) == headers


@pytest.mark.parametrize(
    "name",
    [
        "signature", "mac", "token", "access_token", "key", "api_key", "client_secret",
        "X-Amz-Signature", "X-Amz-Security-Token", "Signature", "sig", "accessToken", "apikey", "TOKEN",
    ],
)  # fmt: skip
def test_credential_in_the_query_is_masked(name):
    """Pledg's links carry a signature, OAuth servers take tokens there, and links to cloud storage carry both."""
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
        exchanges.note(Exchange("GET", f"https://vendor.example/{number}", 200, {}, {}, 0.0))
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


GIVEN = {"MEDIPIM_API_KEY_ID": "made-up", "MEDIPIM_API_KEY_SECRET": "made-up"}
ECHOES = [
    lambda text: text,
    html.escape,
    lambda text: html.escape(text).replace("&#x27;", "&#039;"),
    lambda text: "".join(f"&#{ord(char)};" for char in text),
    lambda text: "".join(f"&#X{ord(char):04x};" if not char.isalnum() else char for char in text),
    lambda text: html.escape(html.escape(text)),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    lambda text: html.escape(json.dumps(text)[1:-1]),
    lambda text: json.dumps(html.escape(text))[1:-1],
    lambda text: "".join(char if char.isalnum() and char.isascii() else f"\\u{ord(char):04X}" for char in text),
    lambda text: "".join(char if char.isalnum() and char.isascii() else f"%u{ord(char):04x}" for char in text),
    lambda text: re.sub(r"([\\'\"])", r"\\\1", text),
    lambda text: text.replace("'", "''").replace('"', '""'),
    lambda text: repr(text.encode())[2:-1],
    lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    quote,
    quote_plus,
    lambda text: quote(text, safe="").lower() if text.islower() else quote(text, safe=""),
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: quote(text.encode("latin-1"), safe=""),
    lambda text: text.encode().decode("latin-1"),
    lambda text: text.encode().hex(),
    lambda text: text.encode().hex().upper(),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    lambda text: "".join(f"{char}\0" for char in text),  # UTF-16 that is read as UTF-8
    lambda text: json.dumps(base64.b64encode(text.encode()).decode())[1:-1].replace("/", "\\/"),
    lambda text: text.replace(" ", "\r\n  "),  # a folded header, or indented text
    lambda text: html.escape(text).replace(" ", "&nbsp;"),
    str.upper,
    str.lower,
]


@pytest.mark.parametrize(
    "secret", ["pä ss/wörd+1&<'\">\\", "O'Brien's \"word\"", "plain-Pa55word", "%41&amp;\\u0041=?"]
)
@pytest.mark.parametrize("echo", range(len(ECHOES)))
def test_redactor_finds_a_secret_in_every_kind_of_escapes(secret, echo):
    """S19: HTML, JSON, PHP, .NET, SQL, percent, Python and C escapes, some inside others; what is around it stays."""
    redactor = Redactor([secret])
    shown = redactor.clean(f"<p>you sent: {ECHOES[echo](secret)} — so it is</p>", limit=1000)
    assert re.fullmatch(r"<p>you sent: \*\*\*\\* ?— so it is</p>", shown)


@pytest.mark.parametrize(
    "text", ["C:\\users\\new", "100 % of &nbsp; it", "a 'quoted' \"text\" ''", "&#bad; %zz \\uD83D é"]
)
def test_redactor_leaves_other_texts_as_they_are(text):
    """Escapes are undone to look for secrets, never in what is shown."""
    assert Redactor(["another secret"]).clean(text) == text


def test_redactor_learns_credentials_of_single_requests():
    """S20: a token, and the answer to a challenge: the last ones are enough; the credentials themselves stay known."""
    redactor = Redactor(["the secret itself"])
    for number in range(1000):
        redactor.learn(f"token-number-{number}")
    assert redactor.clean("token-number-999, the secret itself") == "***, ***"
    assert "token-number" not in repr(vars(redactor))


def test_secret_that_a_cut_divides_is_not_shown_in_part():
    """S19: what is shown is cut behind the mask, never in a secret; also if not all of the text is looked through."""
    redactor = Redactor(["0123456789abcdefghij"])
    for length in range(280, 320):
        shown = redactor.clean("x" * length + "0123456789abcdefghij" + "y" * 100)
        assert "0123" not in shown
    for length in range(65_400, 65_540, 3):
        assert "0123" not in redactor.mask(["x" * length + "0123456789abcdefghij" * 20], limit=65_536)[0]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\0b\x7f", "a b\\x7f"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\u200bzero", "\\u200bzero"),
    ],
)
def test_characters_that_are_not_shown_literally_are_escaped(sent, shown):
    """S21: in a vendor's message: control characters, and those that reverse the text."""
    body = json.dumps({"error": {"code": sent, "message": sent, "violations": [sent]}}).encode()
    reply = answer(body, JSON, status="400 X")
    with raw_server(always(reply)) as server, pytest.raises(vk.errors.InvalidRequest) as caught:
        session_of(server).send(Call("GET", "/x"))
    assert shown in str(caught.value)
    assert caught.value.vendor_code == caught.value.vendor_message == shown
    assert all(char.isprintable() for char in str(caught.value))


def test_names_from_elsewhere_are_escaped_in_every_error(tmp_path):
    """S21: from a stranger's file, an address, a column: every error escapes what it quotes."""
    path, client = tmp_path / "a.http", vk.connect("medipim", environment="sandbox", settings=GIVEN)
    for sign in ("\x1b[2J", "\0", "\u202e", "\u2028", "\t"):
        path.write_text(f"GET {{{{ho{sign}st}}}}/v4/brands/find\n")
        with pytest.raises(vk.errors.UsageError, match="is not a variable") as caught:
            vk.saved_requests(path, client)
        assert str(caught.value).isprintable()
        assert caught.value.what.isprintable()


@pytest.mark.parametrize(
    "before", [b"", b"<html><pre>" + b"<b>" * 100, b"<html>" + b"x" * 380, b"<html>" + b" " * 70_000]
)
def test_page_instead_of_data_shows_nothing_of_the_request(before):
    """S19: the secret has what looks like a tag, and lies where a cut would divide it."""
    secret = "begin-<middle>-'end'"
    redactor = Redactor([secret])
    page = b"<html>" + before + html.escape(secret).encode() + secret.encode()
    found = form_error(page, "json", "Test: GET /x", redactor)
    assert not [part for part in ("begin-", "-'end", "middle") if part in str(found)]


def test_tokens_and_digest_answers_that_a_vendor_echoes_are_redacted():
    """S20: in the body and in a header, of the same answer and of a later one."""
    token = b'{"access_token": "sentinel-token-1", "token_type": "Bearer", "expires_in": 600}'
    seen: list[bytes] = []

    def echo(sock, head):
        seen.append(head)
        if head.startswith(b"POST /api/token"):
            return sock.sendall(answer(token, JSON, "X-Echo: sentinel-token-1"))
        if b"Authorization" not in head:
            challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
            return sock.sendall(answer(b"", challenge, status="401 X"))
        first = re.search(rb"Authorization: (.*)", b"\n".join(seen).replace(b"\r", b""))[1]
        last = re.findall(rb"Authorization: (.*)", b"\n".join(seen).replace(b"\r", b""))[-1]
        body = json.dumps({"error": {"message": (first + b" " + last).decode("latin-1")}}).encode()
        return sock.sendall(answer(body, JSON, f"X-Echo: {last.decode('latin-1')}", status="400 X"))

    with raw_server(echo) as server:
        for vendor, path in (("pledg", "/x"), ("mediagenix", "/x")):
            seen.clear()
            client = client_of(server, vendor, Policy())
            shown = ""
            for _ in range(3):
                with pytest.raises(vk.errors.InvalidRequest) as caught:
                    client.get(path)
                shown += str(caught.value)
            shown += "".join(one.text() for one in client.session.exchanges.all())
            heads = b"\n".join(seen).decode("latin-1")
            secrets = re.findall(r'(?:response|cnonce)="([^"]+)"', heads) + re.findall(r"Bearer (\S+)", heads)
            assert secrets
            assert [secret for secret in (*secrets, SECRET) if secret in shown] == []


def test_kept_headers_are_redacted_and_bounded():
    """X11: an answer may have six megabytes of headers, and 200 exchanges are kept."""
    secret = "begin-middle-end"
    exchanges = Exchanges(Redactor([secret]))
    received = {f"X-{number}": "x" * 65_000 for number in range(95)}
    received |= {"X-Name-" + "y" * 5000: "1"}
    for _ in range(220):
        exchanges.note(
            Exchange("GET", "https://vendor.example/" + "z" * 100_000, 200, {"X-Sent": "s" * 50_000}, received, 0.0)
        )
    kept = exchanges.all()
    assert sum(len(one.text()) for one in kept) < 5_000_000
    first = {
        f"X-Left-{secret}": "5",
        "Server": f"echo {secret} {quote(secret)}",
        "X-Long": "x" * 4090 + secret,
        "Etag": '"\x1b[1m"',
    }
    exchanges.note(Exchange("GET", f"https://vendor.example/{secret}?a=1", 200, {}, first, 0.0))
    last = exchanges.all()[-1]
    assert last.url == "https://vendor.example/***?a=1"
    assert last.received["server"] == "echo *** ***"
    assert last.received["X-Left-***"] == "5"
    assert "begin" not in last.received["X-Long"]
    assert last.received["ETag"] == '"\\x1b[1m"'
