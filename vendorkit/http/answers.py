"""Reads an HTTP response to its end, and maps a response that is not a success to a typed error."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Final

import requests
from lxml import etree
from urllib3.exceptions import HTTPError

from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.auth.pauses import http_date, requested_pause_s
from vendorkit.errors import (
    CredentialsRefused,
    DeadlineExceeded,
    InvalidRequest,
    MalformedAnswer,
    NotAllowed,
    NotFound,
    OriginRefused,
    RateLimited,
    VendorkitError,
    VendorUnavailable,
)
from vendorkit.http.exchanges import body_notes
from vendorkit.settings import Redactor
from vendorkit.strictjson import strict_object

CHUNK_BYTES: Final = 1 << 16  # Python allocates a buffer of this size for each read; TLS fills a quarter of it
ANSWER_LIMIT_BYTES: Final = 1 << 27  # a page is a few megabytes; more is a decompression bomb or a mistake
_PROBLEM_LIMIT_BYTES: Final = 1 << 16
_RETRY: Final = "Try again. If the error persists, report it to the vendor."
# All but these are labels that say nothing of the encoding, such as "utf-8" or "aws-chunked".
_CODINGS: Final = frozenset({"br", "compress", "x-compress", "deflate", "zstd"})


class BrokenOff(VendorUnavailable):
    """The response ended before its announced end; a retry may help."""


class CorruptAnswer(MalformedAnswer):
    """The body was damaged in transit, or is not the vendor's; a retry may help."""


def chunks(response: requests.Response, *, limit: int | None = None) -> Iterator[bytes]:
    """
    Yield the decoded body of *response* as it arrives, and check that it is complete.

    A gzip body is decoded here and not by urllib3, which does not detect a truncated one.

    Raises:
        BrokenOff: The gzip stream ends early.
        MalformedAnswer: The content coding is not gzip, the gzip data is corrupt, or it has more than *limit* bytes.
    """
    codings = {name.strip().lower() for name in response.headers.get("Content-Encoding", "").split(",")}
    if unknown := codings & _CODINGS:
        what = f"The response has the content coding {', '.join(sorted(unknown))}, which was not requested."
        raise MalformedAnswer(what, remedy=_RETRY)
    parts = iter(lambda: response.raw.read1(CHUNK_BYTES, decode_content=False), b"")
    size, notes = 0, body_notes(response)
    for chunk in _inflated(parts) if codings & {"gzip", "x-gzip"} else parts:
        size += len(chunk)
        if limit is not None and size > limit:
            what = f"The response is longer than {limit:,} bytes."
            raise MalformedAnswer(what, remedy="Request smaller pages.")
        notes.take(chunk)
        yield chunk


def body_of(response: requests.Response) -> bytes:
    """
    Return the whole body of a success, but only the readable part of the first 64 KiB of an error.

    Raises:
        BrokenOff, MalformedAnswer: As `chunks` does, but only for a success: an error is known by its status.
    """
    if 200 <= response.status_code < 300:
        return b"".join(chunks(response, limit=ANSWER_LIMIT_BYTES))
    return _beginning(response)


def _beginning(response: requests.Response) -> bytes:
    body = bytearray()
    try:
        for chunk in chunks(response):
            body += chunk
            if len(body) >= _PROBLEM_LIMIT_BYTES:
                break
    except (MalformedAnswer, requests.RequestException, HTTPError, OSError) as exc:
        if isinstance(exc, DeadlineExceeded) or from_outside(exc) is not None:
            raise
    response.close()  # if the body was read to its end, urllib3 has already reclaimed the connection
    return bytes(body[:_PROBLEM_LIMIT_BYTES])


def _inflated(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield gzip data decoded, of one or several members (RFC 1952), and detect a truncated stream."""
    member, has_data = zlib.decompressobj(31), False
    for part in parts:
        raw = part
        while raw:
            if member.eof:
                # Some servers pad the body or append a line end; gzip readers ignore both.
                raw = raw.lstrip(b"\0\t\r\n ")
                if not raw:
                    break
                member = zlib.decompressobj(31)
            has_data = True
            try:
                chunk = member.decompress(raw, CHUNK_BYTES * 4)
            except zlib.error:
                what = "The gzip body of the response is corrupt."
                raise CorruptAnswer(what, remedy=_RETRY) from None
            raw = member.unconsumed_tail or member.unused_data
            if chunk:
                yield chunk
    if has_data and not member.eof:
        what = "The gzip body of the response is truncated."
        raise BrokenOff(what, remedy="Try again.")


def read_problem(body: bytes, redactor: Redactor) -> tuple[str, str, tuple[str, ...]]:
    """
    Return code, message and violations of a vendor's error body, each empty if it has none.

    It is read leniently: JSON of Medipim, Pledg and Mediagenix, XML of Mediagenix, plain text. Parts that cannot be
    understood are left out; they never raise another error.
    """
    text = _text(body).strip()
    code, message = "", ""
    violations: list[str] = []
    with tolerated(ValueError, RecursionError, etree.XMLSyntaxError):
        if text.startswith(("{", "[")):
            code, message, violations = _json_problem(json.loads(text))
        elif text.startswith("<") and "<html" not in text[:400].lower() and "<!doctype" not in text[:400].lower():
            message, violations = _xml_problem(body.strip())
        elif not text.startswith("<"):
            message = text
    clean = redactor.clean
    return clean(code, limit=80), clean(message), tuple(clean(violation) for violation in violations[:20])


def _text(body: bytes) -> str:
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(body)  # its end may be cut off within a character
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _json_problem(body: Any) -> tuple[str, str, list[str]]:
    if not isinstance(body, dict):
        return "", "", []
    error = body.get("error", {})
    if isinstance(error, str):  # RFC 6749 section 5.2; the description may echo the request, so it is left out
        return error, "", []
    error = error if isinstance(error, dict) else {}
    # inferred: Medipim documents neither the place of `violations` nor the form of its items.
    violations = error.get("violations") or body.get("violations") or body.get("errors") or []
    violations = violations if isinstance(violations, list) else [violations]
    message = error.get("message") or error.get("debug") or body.get("message")
    code = error.get("code") or error.get("type")
    return str(code or ""), str(message or ""), [_violation(item) for item in violations]


def _violation(item: Any) -> str:
    if isinstance(item, dict):
        name = item.get("field") or item.get("path") or item.get("property")
        message = item.get("message") or item.get("error") or json.dumps(item, ensure_ascii=False)
        return f"{name}: {message}" if name else str(message)
    return str(item)


def _xml_problem(body: bytes) -> tuple[str, list[str]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(body, parser)
    texts = [
        " ".join(str(part).strip() for part in element.itertext() if str(part).strip())
        for element in ([root] if root.tag == "error" else root.findall("error"))
    ]
    return "; ".join(texts), texts


def error_for(
    response: requests.Response, body: bytes, request_label: str, redactor: Redactor
) -> VendorkitError | None:
    """
    Return the error that *response* reports, or None if it is a success.

    Args:
        response: For its status and headers.
        body: The decoded body, or its beginning.
        request_label: The request in words, for the message: "Medipim (sandbox): GET /v4/brands/find".
        redactor: Masks credentials in the vendor's message.
    """
    status = response.status_code
    if status in {206, 304}:
        what = f"{request_label} did not return the whole data (HTTP {status})."
        return CorruptAnswer(what, remedy=_RETRY)
    if 200 <= status < 300 and not _contains_error(body):
        return None
    code, message, violations = read_problem(body, redactor)
    details: dict[str, Any] = {"vendor_code": code or None, "vendor_message": message or None, "status": status}
    what = f"{request_label} returned HTTP {status}."
    if quoted := message or code:
        what = f"{what} The vendor says: {quoted}{'' if quoted.endswith(('.', '!', '…')) else '.'}"
    if status == 401:
        return CredentialsRefused(
            what, remedy="Check the user or key and its secret, and that they belong to this environment.", **details
        )
    if status == 403:
        return NotAllowed(what, remedy="Ask the vendor to allow it for these credentials.", **details)
    if status in (404, 410):
        return NotFound(what, remedy="Check the id or the path.", **details)
    if status == 429 or status >= 500:
        wait = requested_pause_s(response.headers)
        when = f"Try again in {wait:.0f} seconds." if wait else "Try again later."
        return (RateLimited if status == 429 else VendorUnavailable)(what, retry_after_s=wait, remedy=when, **details)
    if 300 <= status < 400:
        return OriginRefused(what, remedy="Report it to the vendor: such redirects are not followed.", **details)
    listed = "; ".join(violations)
    remedy = "Correct the request." if listed in message else f"Correct the request: {listed}."  # XML repeats them
    return InvalidRequest(what, violations=violations, remedy=remedy, **details)


def _contains_error(body: bytes) -> bool:
    """Return whether a success reports an error; Pledg's and Medipim's own clients check for it too."""
    with tolerated(ValueError, RecursionError):
        content = json.loads(body) if len(body) <= _PROBLEM_LIMIT_BYTES else None
        return isinstance(content, dict) and isinstance(content.get("error"), dict)
    return False


def answered_at(response: requests.Response) -> int:
    """Return the Date of *response* in unix seconds; this machine's clock if that is earlier, or there is no Date."""
    now = datetime.now(timezone.utc)
    return int(min(http_date(response.headers.get("Date", "")) or now, now).timestamp())


def form_error(body: bytes, media_type: str, request_label: str, redactor: Redactor) -> CorruptAnswer | None:
    """
    Return the error for a success whose body is empty or an HTML page; None if it may be data.

    *media_type* is the requested format, "json" or "xml". The Content-Type header is ignored: valid data under a wrong
    label is still valid, and a maintenance page is often labelled as JSON.
    """
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:9]  # blanks may have kept a slow response alive
    if not start:
        what = f"{request_label} returned an empty body instead of {media_type.upper()}."
        return CorruptAnswer(what, remedy=_RETRY)
    if start.lower() == b"<!doctype" or start[:5].lower() == b"<html":
        (page,) = redactor.mask([body.decode("utf-8", "replace")], limit=_PROBLEM_LIMIT_BYTES)
        text = redactor.clean(re.sub(r"<[^>]*>?", " ", page), limit=80)
        what = f"{request_label} returned an HTML page instead of {media_type.upper()}: {text!r}."
        return CorruptAnswer(what, remedy="The vendor may be under maintenance; try again later.")
    return None


def json_object(body: bytes, request_label: str) -> dict[str, Any]:
    """Return the JSON object in *body*, the response to *request_label*; `MalformedAnswer` if it is not one."""
    try:
        return strict_object(body, limit=ANSWER_LIMIT_BYTES)
    except ValueError as exc:
        problem = str(exc)
    what = f"{request_label} did not return a JSON object: {problem}."
    raise MalformedAnswer(what, remedy=_RETRY)
