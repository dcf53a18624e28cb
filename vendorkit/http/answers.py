"""Reading an HTTP answer to its end, and the one place that turns an answer into one of our errors."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

import requests
from lxml import etree
from urllib3.exceptions import HTTPError

from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.auth.pauses import asked_pause_s, http_date
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

CHUNK_BYTES: Final = 1 << 16  # Python makes room for so many before it reads; TLS brings a quarter of it at once
ANSWER_LIMIT_BYTES: Final = 1 << 27  # a page is some megabytes; more is a decompression bomb or a mistake
_PROBLEM_LIMIT_BYTES: Final = 1 << 16
_FAILURE: Final = re.compile(rb'\s*\{\s*"error"\s*:\s*\{')


class BrokenOff(VendorUnavailable):
    """The answer ended before its announced end; asking again may help."""


class CorruptAnswer(MalformedAnswer):
    """The bytes were damaged on the way, or something answered in the vendor's place; asking again may help."""


def chunks(response: requests.Response, *, limit: int | None = None) -> Iterator[bytes]:
    """
    Yield the decoded body of *response* as it arrives, and check that it arrived whole.

    A gzip body is decoded here and not by urllib3, which takes a truncated one for complete.

    Raises:
        BrokenOff: The gzip stream ends early.
        MalformedAnswer: Another content coding than gzip, a corrupt one, or more than *limit* bytes.
    """
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip", "x-gzip"):
        what = f"The answer came in the content coding {coding[:20]!r}, which was not asked for."
        raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.")
    inflate = _Inflate() if "gzip" in coding else None
    size, noted = 0, body_notes(response)
    while raw := response.raw.read1(CHUNK_BYTES, decode_content=False):
        for chunk in inflate.feed(raw) if inflate else (raw,):
            size += len(chunk)
            if limit is not None and size > limit:
                what = f"The answer is longer than {limit:,} bytes."
                raise MalformedAnswer(what, remedy="Ask for smaller pages.")
            noted.take(chunk)
            yield chunk
    if inflate:
        inflate.check_end()


def body_of(response: requests.Response) -> bytes:
    """
    Return the whole body of a success; of an error the first 64 KiB or what can be had, for its status says enough.

    Raises:
        BrokenOff, MalformedAnswer: As `chunks` does, of a success.
    """
    if 200 <= response.status_code < 300:
        return b"".join(chunks(response, limit=ANSWER_LIMIT_BYTES))
    return _beginning(response)


def _beginning(response: requests.Response) -> bytes:
    parts, size = [], 0
    try:
        for chunk in chunks(response):
            parts.append(chunk)
            size += len(chunk)
            if size >= _PROBLEM_LIMIT_BYTES:
                break
    except (MalformedAnswer, requests.RequestException, HTTPError, OSError) as exc:
        if isinstance(exc, DeadlineExceeded) or from_outside(exc) is not None:
            raise
    response.close()  # urllib3 has taken a connection back already that was read to its end
    return b"".join(parts)[:_PROBLEM_LIMIT_BYTES]


class _Inflate:
    """Incremental gunzip that knows where the stream has to end (RFC 1952: members may follow each other)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)
        self._begun = False

    def feed(self, raw: bytes) -> Iterator[bytes]:
        while raw:
            if self._member.eof:
                # Some servers pad the body or end it as a line; readers of gzip ignore that.
                raw = raw.lstrip(b"\0\t\r\n ")
                if not raw:
                    return
                self._member = zlib.decompressobj(31)
            self._begun = True
            try:
                chunk = self._member.decompress(raw, CHUNK_BYTES * 4)
            except zlib.error:
                what = "The gzip body of the answer is corrupt."
                raise CorruptAnswer(what, remedy="Try again; if it stays, tell the vendor.") from None
            raw = self._member.unconsumed_tail or self._member.unused_data
            if chunk:
                yield chunk

    def check_end(self) -> None:
        if self._begun and not self._member.eof:
            what = "The gzip body of the answer broke off."
            raise BrokenOff(what, remedy="Try again.")


@dataclass(frozen=True)
class Problem:
    """What a vendor's error body says, whichever of its shapes it has; empty where it says nothing."""

    code: str | None = None
    message: str | None = None
    violations: tuple[str, ...] = ()


def read_problem(body: bytes, redactor: Redactor) -> Problem:
    """
    Read an error body leniently: JSON of Medipim, Pledg and Mediagenix, XML of Mediagenix, plain text.

    Whatever cannot be understood gives less of a `Problem`, never another error.
    """
    text = body.decode("utf-8", "replace").strip()
    problem = Problem()
    with tolerated(ValueError, RecursionError, etree.XMLSyntaxError):
        if text.startswith(("{", "[")):
            problem = _json_problem(json.loads(text))
        elif text.startswith("<") and "<html" not in text[:400].lower() and "<!doctype" not in text[:400].lower():
            problem = _xml_problem(text)
        elif not text.startswith("<"):
            problem = Problem(message=text)
    clean = redactor.clean
    return Problem(
        clean(problem.code, limit=80) if problem.code else None,
        clean(problem.message) if problem.message else None,
        tuple(clean(violation) for violation in problem.violations[:20]),
    )


def _json_problem(body: Any) -> Problem:
    if not isinstance(body, dict):
        return Problem()
    error = body.get("error", {})
    if isinstance(error, str):  # RFC 6749 section 5.2; the description may echo what was sent, so it stays out
        return Problem(code=error)
    error = error if isinstance(error, dict) else {}
    # inferred: where Medipim puts `violations`, and what an item looks like, is not documented.
    violations = error.get("violations") or body.get("violations") or body.get("errors") or []
    violations = violations if isinstance(violations, list) else [violations]
    message = error.get("message") or error.get("debug") or body.get("message")
    code = error.get("code") or error.get("type")
    return Problem(
        str(code) if code else None, str(message) if message else None, tuple(_violation(v) for v in violations)
    )


def _violation(item: Any) -> str:
    if isinstance(item, dict):
        where = item.get("field") or item.get("path") or item.get("property")
        said = item.get("message") or item.get("error") or json.dumps(item, ensure_ascii=False)
        return f"{where}: {said}" if where else str(said)
    return str(item)


def _xml_problem(text: str) -> Problem:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(text.encode(), parser)
    texts = tuple(
        " ".join(str(part).strip() for part in element.itertext() if str(part).strip())
        for element in ([root] if root.tag == "error" else root.findall("error"))
    )
    return Problem(message="; ".join(texts) or None, violations=texts)


def error_for(response: requests.Response, body: bytes, asked: str, redactor: Redactor) -> VendorkitError | None:
    """
    Return the error that *response* means, or None where it is a success.

    Args:
        response: Status and headers of the answer.
        body: Its decoded body, or the beginning of it.
        asked: What was asked of whom, for the message: "Medipim (sandbox) … GET /v4/brands/find".
        redactor: Takes credentials out of the vendor's words.
    """
    status = response.status_code
    if status == 206:
        what = f"{asked} was answered with a part of what was asked for (HTTP 206)."
        return CorruptAnswer(what, remedy="Try again; if it stays, tell the vendor.")
    # Some errors come with HTTP 200; Pledg's and Medipim's own clients look for them too.
    if 200 <= status < 300 and not _FAILURE.match(body):
        return None
    problem = read_problem(body, redactor)
    said = f" The vendor says: {problem.message or problem.code}" if problem.message or problem.code else ""
    said = said if not said or said.endswith((".", "!", "…")) else f"{said}."
    details: dict[str, Any] = {
        "vendor_code": problem.code,
        "vendor_message": problem.message,
        "status": status,
    }
    what = f"{asked} was answered with HTTP {status}.{said}"
    if status == 401:
        return CredentialsRefused(
            what, remedy="Check the user or key and its secret, and that they belong to this environment.", **details
        )
    if status == 403:
        return NotAllowed(what, remedy="Ask the vendor to allow it for these credentials.", **details)
    if status in (404, 410):
        return NotFound(what, remedy="Check the id or the path.", **details)
    if status == 429 or status >= 500:
        wait = retry_after_s(response)
        when = "Try again later." if wait is None else f"Try again in {wait:.0f} seconds."
        return (RateLimited if status == 429 else VendorUnavailable)(what, retry_after_s=wait, remedy=when, **details)
    if 300 <= status < 400:
        return OriginRefused(what, remedy="Redirects of this kind are not followed; tell the vendor.", **details)
    listed = "; ".join(problem.violations)
    remedy = f"Correct the request: {listed}." if listed else "Correct the request."
    return InvalidRequest(what, violations=problem.violations, remedy=remedy, **details)


def retry_after_s(response: requests.Response) -> float | None:
    """Return the seconds that the vendor asks to wait; None if it does not say, or not understandably."""
    return asked_pause_s(response.headers)


def answered_at(response: requests.Response) -> int:
    """Return when the vendor answered, in unix seconds by its own Date, but not later than by this machine's clock."""
    now = datetime.now(timezone.utc)
    return int(min(http_date(response.headers.get("Date", "")) or now, now).timestamp())


def form_error(body: bytes, media_type: str, asked: str, redactor: Redactor) -> CorruptAnswer | None:
    """
    Return the error of a success that carries an HTML page or nothing in place of data; None where it looks right.

    *media_type* is "json" or "xml", as asked for. The Content-Type header is not looked at: valid data under a wrong
    label is still valid, and a maintenance page is often labelled as JSON.
    """
    start = body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        what = f"{asked} was answered with an empty body where {media_type.upper()} was due."
        return CorruptAnswer(what, remedy="Try again; if it stays, tell the vendor.")
    if start[:9].lower() == b"<!doctype" or start[:5].lower() == b"<html":
        (page,) = redactor.mask([body.decode("utf-8", "replace")], limit=_PROBLEM_LIMIT_BYTES)
        shown = redactor.clean(re.sub(r"<[^>]*>?", " ", page), limit=80)
        what = f"{asked} was answered with an HTML page where {media_type.upper()} was due: {shown!r}."
        return CorruptAnswer(what, remedy="The vendor may be under maintenance; try again later.")
    return None


def json_object(body: bytes, asked: str) -> dict[str, Any]:
    """Return *body*, the answer to what *asked* names, as a JSON object; `MalformedAnswer` where it is none."""
    try:
        return strict_object(body, limit=ANSWER_LIMIT_BYTES)
    except ValueError as exc:
        problem = str(exc)
    what = f"{asked} was answered with something else than a JSON object: {problem}."
    raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.")
