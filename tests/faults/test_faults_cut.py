"""An answer that is cut at any byte is an error or the whole, never a part that passes for it."""

from __future__ import annotations

import contextlib
import gzip

import pandas as pd
import pytest

from tests.https import client_of, raw_server
from vendorkit.errors import VendorkitError
from vendorkit.http.call import Policy

ONCE = Policy(connect_timeout_s=5, read_timeout_s=5, deadline_s=20, attempts=1)
PAGE = b'{"meta":{"total":2},"results":[{"id":1,"name":"A"},{"id":2,"name":"B"}]}\n'
BEYOND = b'{"meta":{"total":10000,"page":{"no":0,"size":250}},"results":[]}'
LINES = b"".join(b'{"meta":{"total":3,"index":%d},"result":{"id":%d}}\n' % (at, at) for at in range(3))
XML = (
    b'<brands type="array"><total-entries>2</total-entries>'
    b"<brand><id>1</id><name>A</name></brand><brand><id>2</id><name>B</name></brand></brands>\n"
)


def plain(body: bytes, *headers: bytes) -> bytes:
    """With its length."""
    lines = [b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(body: bytes, *headers: bytes) -> bytes:
    """In chunks of 40 bytes."""
    lines = b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"Transfer-Encoding: chunked"])
    parts = [body[at : at + 40] for at in range(0, len(body), 40)]
    return lines + b"\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


def unmarked(body: bytes, *headers: bytes) -> bytes:
    """Ended by the end of the connection."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers]) + b"\r\n\r\n" + body


def zipped(framing):
    """The same, compressed."""
    return lambda body: framing(gzip.compress(body, mtime=0), b"Content-Encoding: gzip")


FRAMINGS = {
    "length": plain,
    "chunks": chunked,
    "end": unmarked,
    "gzip with length": zipped(plain),
    "gzip in chunks": zipped(chunked),
    "gzip to the end": zipped(unmarked),
}


PULLS = {
    "a JSON page as a frame": ("medipim", PAGE, lambda client: client.brands.query().frame()),
    "a JSON page as records": ("medipim", PAGE, lambda client: list(client.brands.query().records())),
    "lines as a frame": ("medipim", LINES, lambda client: client.products.query().frame(columns=["id"])),
    "lines as records": ("medipim", LINES, lambda client: list(client.products.query().records())),
    "XML as a frame": ("mediagenix", XML, lambda client: client.brands.query().frame()),
}


def attempt(pull, client):
    """What a pull gives, in a form that can be compared; None for a typed error."""
    try:
        found = pull(client)
    except VendorkitError:
        return None
    return found.to_dict("records") if isinstance(found, pd.DataFrame) else found


# Where a body ends with the connection, only the closure of TLS tells the end from a cut; elsewhere it makes no odds.
CUTS = [(kind, framing, True) for kind in PULLS for framing in FRAMINGS if "records" not in kind or "end" in framing]
CUTS += [(kind, framing, False) for kind in PULLS for framing in FRAMINGS if "end" in framing]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "framing", "closed"), CUTS)
def test_response_cut_at_any_byte_is_never_complete(kind, framing, closed, caplog):
    """
    Promise 1; T02, T03, T04, T05, T06, T07, P24, P30: at each byte of the head and of the body.

    That TLS is closed properly behind the cut is the worse case: so does a load balancer whose server died. Then it
    is what the answer says that shows: its length, its chunks, gzip's trailer, the syntax, the lines' indexes.
    """
    caplog.set_level("CRITICAL")
    vendor, body, pull = PULLS[kind]
    reply = FRAMINGS[framing](body)
    length = len(reply)

    def handle(sock, head):
        if b"POST /v4/products/query" in head:
            return sock.sendall(plain(BEYOND))
        sock.sendall(reply[:length])
        if closed:
            sock.settimeout(0.2)
            with contextlib.suppress(OSError):
                sock.unwrap()
        return sock.close()

    with raw_server(handle) as server:
        client = client_of(server, vendor, ONCE)
        whole = attempt(pull, client)
        assert (whole is not None) == closed, "without a length and a closure nothing shows that this is all"
        missing = set()
        for length in range(len(reply)):
            found = attempt(pull, client)
            assert found in (None, whole)
            missing |= {reply[length:]} if found is not None else set()
    # What may be lost unnoticed is the line end behind the data, and what follows the size of the last chunk.
    assert missing <= ({b"\n"} if framing == "end" else {b"\r\n\r\n", b"\n\r\n", b"\r\n", b"\n"})
    assert not missing or framing != "length"
