"""
A request as code in other languages, with the names of environment variables in place of secrets.

The programs are templates in `snippets.txt`; the lines of vendorkit itself repeat the query. Texts are quoted for their
language, so that a filter value cannot end its string.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from vendorkit.ask import Ask, choice, find_filter
from vendorkit.resource import Signing, Source, first_call

_TEMPLATES: Final = Path(__file__).with_name("snippets.txt")


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


Writer = Callable[[Request], str]


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
    form = {"expand": list(ask.expand) or None, "accept": _unless(ask.accept, source.accepts[0])}
    if ask.url is not None:
        query = f"client.follow({', '.join([repr(ask.url), *_arguments(form)])})"
    else:
        filters = {find_filter(resource.filters, name, "").name: value for name, value in ask.filters.items()}
        given = {
            **filters,
            "where": ask.where,
            "sort": ask.sort,
            **form,
            "strategy": _unless(ask.strategy, next(iter(resource.strategies), "")),
            "since": None if ask.since is None else ask.since.at,
        }
        query = f"client.{ask.resource}.query({', '.join(_arguments(given))})"
    connected = ", ".join([repr(source.vendor_name), *_arguments(source.connect_arguments())])
    return (
        f"import vendorkit as vk\n\nclient = vk.connect({connected})\n"
        f"query = {query}\nframe = query.frame({', '.join(_arguments(options))})\n"
    )


def _unless(value: str, usual: str) -> str | None:
    return None if value == usual else value


def _arguments(values: Mapping[str, Any]) -> list[str]:
    """Return keyword arguments as code; None means the default."""
    return [f"{name}={value!r}" for name, value in values.items() if value is not None]


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


_QUOTES: Final[dict[str, Callable[[str], str]]] = {
    "sh": shlex.quote,
    "python": repr,
    "php": php_text,
    "single": php_text,
    "double": _double,
    "powershell": _powershell,
}


@cache
def _templates() -> dict[str, tuple[str, str, str, tuple[str, ...]]]:
    """Return label, quoting, the comment on a missing digest, and the lines of each language."""
    blocks = _TEMPLATES.read_text("utf-8").split("\n== ")[1:]
    found = {}
    for first, *lines in (block.splitlines() for block in blocks):
        name, label, quoting, no_digest = (*first.split(" | "), "")[:4]
        found[name] = label, quoting, no_digest, tuple(lines)
    return found


def _program(request: Request, language: str) -> str:
    _, quoting, no_digest, lines = _templates()[language]
    if no_digest and request.signing.kind == "digest":
        mark = no_digest.partition(" ")[0]
        by_curl = _program(request, "curl").splitlines()
        return "\n".join([f"{no_digest} The same by curl:", *(f"{mark} {line}" for line in by_curl)]) + "\n"
    quote, signing, body = _QUOTES[quoting], request.signing, request.body
    texts = {"method": request.method, "url": request.url, "host": urlsplit(request.url).netloc, "path": request.path}
    texts |= {"media": request.media, "accept": f"Accept: {request.media}", "body": body or ""}
    texts |= {"token_url": signing.token_url, "token_path": urlsplit(signing.token_url).path}
    values = {name: quote(text) for name, text in texts.items()}
    values |= {"json": repr(json.loads(body or "null")), "bytes": repr(body and body.encode()), "kind": signing.kind}
    values |= dict(zip(("user", "password"), signing.variables, strict=False))
    facts = {signing.kind, "bodyless" if body is None else "body"}
    kept = []
    for line in lines:
        condition = re.match(r"\?([a-z,]+): ", line)
        if condition is None or facts & {*condition[1].split(",")}:
            kept.append(line[condition.end() :] if condition else line)
    # One pass: a value that has a placeholder's name in it stays as it is.
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), "\n".join(kept)) + "\n"
