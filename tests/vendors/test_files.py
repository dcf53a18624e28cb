"""Files of the vendors' CDNs: another host, no credentials, a contact, TLS, bounds and typed errors."""

from __future__ import annotations

import pytest

import vendorkit as vk
from tests.https import always, answer, authority, raw_server
from vendorkit.errors import (
    MalformedAnswer,
    NotFound,
    OriginRefused,
    SettingsError,
    TlsError,
    UsageError,
    VendorkitError,
)
from vendorkit.http import answers
from vendorkit.http.call import Policy
from vendorkit.settings import Secret, Settings
from vendorkit.vendors.hosts import Endpoint
from vendorkit.vendors.registry import CLIENTS

KEY = {"MEDIPIM_API_KEY_ID": "42", "MEDIPIM_API_KEY_SECRET": "made-up"}


def photo_of(client):
    """The address of a photo, on another host than the API."""
    return next(iter(client.media.query(type="photo").records(limit=1)))["formats"]["huge"]


@pytest.mark.parametrize("contact", [None, "data@shop.example", "https://shop.example/bots"])
def test_a_photo_is_fetched_without_credentials_and_with_a_contact(vendors, monkeypatch, contact):
    """Its host is not the API's; the User-Agent names who asks, as the vendor's page wants it."""
    client = vk.connect("medipim", environment="local")
    if contact:
        client.settings.values["VENDORKIT_CONTACT"] = Secret(contact)
    url = photo_of(client)
    assert not url.startswith(client.base_url)
    vendors["medipim"].clear_log()
    found = client.file(url)
    assert found.content.startswith(b"\x89PNG")
    (entry,) = vendors["medipim"].log()
    assert entry["scheme"] is None
    assert entry["user_agent"].startswith("vendorkit/")
    assert entry["user_agent"].endswith(f" ({contact or 'mock server'})")
    with pytest.raises(OriginRefused):
        client.get(url)


def test_files_of_mediagenix_are_fetched_too(mediagenix, vendors):
    """Without the digest of the robot user, which no other host may see."""
    link = mediagenix.images.query(title=1).frame()["file_link"].iloc[0]
    vendors["mediagenix"].clear_log()
    assert mediagenix.file(link).headers["Content-Type"] == "image/png"
    assert [entry["scheme"] for entry in vendors["mediagenix"].log()] == [None]


def test_a_vendor_that_asks_for_a_contact_gets_no_request_without_one(monkeypatch, tmp_path):
    """The setting is named; it comes from the environment, from .env or from settings=."""
    bare = vk.connect("medipim", environment="production", settings=KEY)
    with pytest.raises(SettingsError, match="VENDORKIT_CONTACT"):
        bare.file("https://media.medipim.example/1.jpg")
    for name in ("data@shop.example", "x(y)", "a\nb", "ü@shop.example"):
        if name.startswith("data"):
            given = vk.connect("medipim", environment="production", settings={**KEY, "VENDORKIT_CONTACT": name})
            assert given.settings.get("VENDORKIT_CONTACT") == name
            monkeypatch.setenv("VENDORKIT_CONTACT", name)
            found = vk.connect("medipim", environment="production", settings=KEY)
            assert found.settings.get("VENDORKIT_CONTACT") == name
        else:
            with pytest.raises(VendorkitError):
                vk.connect("medipim", environment="production", settings={**KEY, "VENDORKIT_CONTACT": name}).file(
                    "https://a.example/"
                )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a.jpg", "ftp://127.0.0.1/a", "https://u:p@127.0.0.1/a", "file:///etc/passwd"]
)
def test_only_https_addresses_without_credentials_are_fetched(medipim, url):
    """Nothing is sent."""
    with pytest.raises(OriginRefused):
        medipim.file(url)
    with pytest.raises(UsageError):
        medipim.file(None)


def files_client(server, trust=None):
    """A Medipim client whose files come from a raw server."""
    values = {name: Secret(value) for name, value in {**KEY, "MEDIPIM_COUNTRY": "be"}.items()}
    endpoint = Endpoint("local", "https://127.0.0.1:1", trust or server.trust)
    return CLIENTS["medipim"](endpoint, Settings(values, dict.fromkeys(values, "given")), policy=Policy(attempts=1))


def test_redirects_to_other_https_hosts_are_followed_and_to_http_not(vendors):
    """As of a CDN that sends to a signed address; a downgrade is an error, and nothing goes there."""

    def serve(sock, head):
        path = head.split(b" ")[1]
        target = b"http://127.0.0.1/b" if path == b"/down" else b"https://localhost:%d/b" % server.port
        moved = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % target
        sock.sendall(answer(b"picture") if path == b"/b" else moved)

    ca = authority()
    with raw_server(serve, ca=ca, leaf=ca.issue_cert("127.0.0.1", "localhost")) as server:
        client = files_client(server)
        assert client.file(f"{server.url}/a").content == b"picture"
        with pytest.raises(OriginRefused, match="not an https address"):
            client.file(f"{server.url}/down")


def test_files_are_bounded_and_their_errors_typed(vendors, monkeypatch):
    """Too long, not there, and from a server that nobody vouches for."""
    monkeypatch.setattr(answers, "ANSWER_LIMIT_BYTES", 100)
    with raw_server(always(answer(b"x" * 500))) as server, pytest.raises(MalformedAnswer, match="longer than 100"):
        files_client(server).file(f"{server.url}/a")
    client = vk.connect("medipim", environment="local")
    with pytest.raises(NotFound):
        client.file(f"{client.base_url}/media/none")
    with raw_server(always(answer(b"x"))) as server, pytest.raises(TlsError):
        client.file(f"{server.url}/a")
