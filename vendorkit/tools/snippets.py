"""
Writes a request as a program in another language, with the names of environment variables instead of secrets.

Each language has a template in `languages/`. Values are quoted for the language, so that no filter value can end its
string. For vendorkit itself, the program is the query in Python.

The first line of a template has its label and its quoting. If the language has no digest authentication, a comment
follows that says so, and the program is the curl command in comments. "Only read" in a label means that no test runs
the program.

A line that begins with "?x,y: " is only written for these kinds of authentication (none, basic, digest, bearer, or
token, which is fetched first with key and secret), or if the request has a body ("body") or none ("bodyless").

Placeholders: {method}, {url}, {host}, {path}, {media}, {accept} (the header), {token_url}, {token_path} and {body} are
quoted strings. {json} and {bytes} are the body as a Python value. {kind} is the kind of authentication. {user} and
{password} are names of environment variables.
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
    """The parts of a prepared request, and how it is authenticated."""

    method: str
    url: str
    path: str  # with the query string
    media: str
    body: str | None
    signing: Signing


def snippet(source: Source, ask: Ask, language: str) -> str:
    """
    Return the first request of *ask* as a program in *language*.

    Raises:
        UsageError: The language does not exist, or not for this vendor.
    """
    language = choice(language, languages(source), "There is no snippet in")
    if language == "vendorkit":
        return vendorkit_lines(source, ask, limit=ask.limit)
    call = first_call(source.resource_of(ask), ask)
    prepared = source.session.prepare(call)
    body = prepared.body.decode() if isinstance(prepared.body, bytes) else prepared.body
    signing = source.signing(call.scheme)
    method, url, media = str(prepared.method), str(prepared.url), prepared.headers["Accept"]
    request = Request(method, url, prepared.path_url, media, body, signing)
    if language in source.snippet_writers:
        return source.snippet_writers[language][1](request)
    return _program(request, language)


def languages(source: Source) -> dict[str, str]:
    """Return the languages for a vendor, each with its label in panels."""
    labels = {name: label for name, (label, *_) in _templates().items()}
    return {"vendorkit": "vendorkit", **labels, **{name: label for name, (label, _) in source.snippet_writers.items()}}


def vendorkit_lines(source: Source, ask: Ask, **options: Any) -> str:
    """Return Python code that runs *ask* with vendorkit and fetches its frame, with *options* for `frame()`."""
    resource = source.resource_of(ask)
    defaults = {"accept": source.accepts[0], "strategy": next(iter(resource.strategies), "")}
    values: dict[str, Any] = {"": ask.url, "expand": list(ask.expand) or None, "accept": ask.accept}
    if ask.url is None:
        filters = {find_filter(resource.filters, name, "").name: value for name, value in ask.filters.items()}
        since = None if ask.since is None else ask.since.at
        values = {**filters, "where": ask.where, "sort": ask.sort, **values, "strategy": ask.strategy, "since": since}
    query = _arguments({name: value for name, value in values.items() if defaults.get(name) != value})
    method = "follow" if ask.url is not None else f"{ask.resource}.query"
    connect = _arguments({"": source.vendor_name, **source.connect_arguments()})
    return (
        f"import vendorkit as vk\n\nclient = vk.connect({connect})\n"
        f"query = client.{method}({query})\nframe = query.frame({_arguments(options)})\n"
    )


def _arguments(values: Mapping[str, Any]) -> str:
    """Return arguments as code. The name "" makes an argument positional, and None omits it."""
    pairs = ((f"{name}=" * bool(name), value) for name, value in values.items() if value is not None)
    return ", ".join(f"{prefix}{value!r}" for prefix, value in pairs)


def php_text(text: str) -> str:
    """Return *text* as a PHP string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _double(text: str) -> str:
    # JSON's escapes are valid in JavaScript, Java, Go, C# and R. Some of these also end a line at U+0085 or U+2028.
    literal = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", literal)


def _powershell(text: str) -> str:
    # Curly quotes also end a string in PowerShell.
    escaped = re.sub("['\u2018-\u201b]", lambda match: match[0] * 2, text)
    return f"'{escaped}'"


_QUOTES: Final = {"sh": shlex.quote, "python": repr, "single": php_text, "double": _double, "powershell": _powershell}


@cache
def _templates() -> dict[str, tuple[str, str, str, list[str]]]:
    """Return for each language its label, its quoting, the comment on missing digest authentication, and the lines."""
    templates = {}
    for path in sorted(Path(__file__).with_name("languages").glob("*.txt")):
        first, *lines = path.read_text("utf-8").splitlines()
        label, quoting, no_digest = [*first.split(" | "), ""][:3]
        templates[path.stem.partition("_")[2]] = label, quoting, no_digest, lines
    return templates


def _program(request: Request, language: str) -> str:
    _, quoting, no_digest, lines = _templates()[language]
    if no_digest and request.signing.kind == "digest":
        comment_sign = no_digest.partition(" ")[0]
        curl = _program(request, "curl").splitlines()
        return "\n".join([f"{no_digest} The same with curl:", *(f"{comment_sign} {line}" for line in curl)]) + "\n"
    signing, body = request.signing, request.body
    texts = {"method": request.method, "url": request.url, "host": urlsplit(request.url).netloc, "path": request.path}
    texts |= {"media": request.media, "accept": f"Accept: {request.media}", "body": body or ""}
    texts |= {"token_url": signing.token_url, "token_path": urlsplit(signing.token_url).path}
    values = {name: _QUOTES[quoting](text) for name, text in texts.items()}
    values |= {"json": repr(json.loads(body or "null")), "bytes": repr(body and body.encode()), "kind": signing.kind}
    values |= dict(zip(("user", "password"), signing.variables, strict=False))
    facts = {signing.kind, "bodyless" if body is None else "body"}
    parts = [re.fullmatch(r"(?:\?([a-z,]+): )?(.*)", line) for line in lines]
    program = "\n".join(part[2] for part in parts if part and (part[1] is None or facts & {*part[1].split(",")}))
    # All placeholders in one pass, because a value may contain the text of a placeholder.
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), program) + "\n"
