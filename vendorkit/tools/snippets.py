"""
A request as code in other languages, with the names of environment variables in place of secrets.

The programs are templates, a file per language in `languages/`; the lines of vendorkit itself repeat the query. Texts
are quoted for their language, so that a filter value cannot end its string.

The first line of a template is its label, how texts are quoted, and if the language has no digest authentication, a
comment that says so; the same by curl follows then. "Only read" in a label: no test runs it. A line after "?x,y: " is
part of the program only for these kinds of authentication (none, basic, digest, bearer; token: one that is fetched
first by key and secret), or for "body" if the request has one, "bodyless" if not. {method}, {url}, {host}, {path},
{media}, {accept} (the header), {token_url}, {token_path} and {body} are quoted texts, {json} and {bytes} the body as a
value of Python, {kind} the kind, {user} and {password} names of environment variables.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from vendorkit.ask import Ask, choice, find_filter
from vendorkit.resource import Signing, Source, first_call


@dataclass(frozen=True)
class Request:
    """A prepared request in parts, and how it is authenticated."""

    method: str
    url: str
    media: str
    body: str | None
    signing: Signing

    @property
    def path(self) -> str:
        """Path and query."""
        parts = urlsplit(self.url)
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def snippet(source: Source, ask: Ask, language: str) -> str:
    """
    Return the first request of *ask* as a program in *language*.

    Raises:
        UsageError: There is no such language, or not for this vendor.
    """
    language = choice(language, languages(source), "There is no snippet in")
    if language == "vendorkit":
        return vendorkit_lines(source, ask)
    call = first_call(source.resource_of(ask), ask)
    prepared = source.session.prepare(call)
    body = prepared.body.decode() if isinstance(prepared.body, bytes) else prepared.body
    signing = source.signing(call.scheme)
    request = Request(str(prepared.method), str(prepared.url), prepared.headers["Accept"], body, signing)
    if language in source.snippet_writers:
        return source.snippet_writers[language][1](request)
    return _program(request, language)


def languages(source: Source) -> dict[str, str]:
    """Return the languages of snippets for a vendor, each with its label for people."""
    labels = {name: label for name, (label, *_) in _templates().items()}
    return {"vendorkit": "vendorkit", **labels, **{name: label for name, (label, _) in source.snippet_writers.items()}}


def vendorkit_lines(source: Source, ask: Ask, **options: Any) -> str:
    """Return the lines that repeat *ask* and fetch its frame, with *options* for `frame()`; all of its pages."""
    resource = source.resource_of(ask)
    usual = {"accept": source.accepts[0], "strategy": next(iter(resource.strategies), "")}
    given: dict[str, Any] = {"": ask.url, "expand": list(ask.expand) or None, "accept": ask.accept}
    if ask.url is None:
        filters = {find_filter(resource.filters, name, "").name: value for name, value in ask.filters.items()}
        since = None if ask.since is None else ask.since.at
        given = {**filters, "where": ask.where, "sort": ask.sort, **given, "strategy": ask.strategy, "since": since}
    form = _arguments({name: value for name, value in given.items() if usual.get(name) != value})
    verb = "follow" if ask.url is not None else f"{ask.resource}.query"
    connected = _arguments({"": source.vendor_name, **source.connect_arguments()})
    return (
        f"import vendorkit as vk\n\nclient = vk.connect({connected})\n"
        f"query = client.{verb}({form})\nframe = query.frame({_arguments(options)})\n"
    )


def _arguments(values: Mapping[str, Any]) -> str:
    """Return arguments as code; one without a name is the first, and None means the default."""
    given = ((f"{name}=" * bool(name), value) for name, value in values.items() if value is not None)
    return ", ".join(f"{name}{value!r}" for name, value in given)


def php_text(text: str) -> str:
    """Return *text* as a string of PHP."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _double(text: str) -> str:
    # Escapes that JavaScript, Java, Go, C# and R share; some of them take further characters for the end of a line.
    shown = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", shown)


def _powershell(text: str) -> str:
    # Curly quotes end its strings too.
    escaped = re.sub("['\u2018-\u201b]", lambda found: found[0] * 2, text)
    return f"'{escaped}'"


_QUOTES: Final = {"sh": shlex.quote, "python": repr, "single": php_text, "double": _double, "powershell": _powershell}


@cache
def _templates() -> dict[str, tuple[str, str, str, list[str]]]:
    """Return label, quoting, the comment on a missing digest, and the lines of each language."""
    found = {}
    for path in sorted(Path(__file__).with_name("languages").glob("*.txt")):
        first, *lines = path.read_text("utf-8").splitlines()
        label, quoting, no_digest = [*first.split(" | "), ""][:3]
        found[path.stem.partition("_")[2]] = label, quoting, no_digest, lines
    return found


def _program(request: Request, language: str) -> str:
    _, quoting, no_digest, lines = _templates()[language]
    if no_digest and request.signing.kind == "digest":
        mark = no_digest.partition(" ")[0]
        by_curl = _program(request, "curl").splitlines()
        return "\n".join([f"{no_digest} The same by curl:", *(f"{mark} {line}" for line in by_curl)]) + "\n"
    signing, body = request.signing, request.body
    texts = {"method": request.method, "url": request.url, "host": urlsplit(request.url).netloc, "path": request.path}
    texts |= {"media": request.media, "accept": f"Accept: {request.media}", "body": body or ""}
    texts |= {"token_url": signing.token_url, "token_path": urlsplit(signing.token_url).path}
    values = {name: _QUOTES[quoting](text) for name, text in texts.items()}
    values |= {"json": repr(json.loads(body or "null")), "bytes": repr(body and body.encode()), "kind": signing.kind}
    values |= dict(zip(("user", "password"), signing.variables, strict=False))
    facts = {signing.kind, "bodyless" if body is None else "body"}
    parts = [re.fullmatch(r"(?:\?([a-z,]+): )?(.*)", line) for line in lines]
    kept = [part[2] for part in parts if part and (part[1] is None or facts & {*part[1].split(",")})]
    # One pass: a value that has a placeholder's name in it stays as it is.
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), "\n".join(kept)) + "\n"
