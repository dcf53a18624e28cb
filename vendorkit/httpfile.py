"""
Requests of a `.http` file as queries, and queries as such a file: to be sent elsewhere, and to become frames here.

The syntax is that of VS Code's REST Client (github.com/Huachao/vscode-restclient, README as of 2026-11). What reaches
outside of the file (`{{$…}}`, `< ./body.json`, the response of another request) is refused, but for settings of the
vendor in the header Authorization.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

from vendorkit import arguments, calls
from vendorkit.ask import choice
from vendorkit.errors import IncompletePull, SettingsError, UsageError, VendorkitError
from vendorkit.files import read_bounded
from vendorkit.pull import check_limit
from vendorkit.query import Query, checked_nested
from vendorkit.resource import first_call
from vendorkit.saved.files import write_atomically
from vendorkit.strictjson import StrictJsonError, strict_value
from vendorkit.vendors.client import Client

__all__ = ["SavedQuery", "http_text", "save_request", "saved_requests"]

_BYTES: Final = 1 << 20  # of a file; no collection that people keep is larger
_DEPTH: Final = 20  # variables in variables
_OPTIONS: Final = ("columns", "limit", "locale", "nested", "strategy")
_VARIABLE: Final = re.compile(r"\s*@([A-Za-z_][\w-]*)\s*=\s*(.*?)\s*")
_USED: Final = re.compile(r"\{\{(.*?)\}\}")
_COMMENT: Final = re.compile(r"\s*(?:#|//)\s*(?:@(name|vendorkit)\s+(.*))?")
_REQUEST: Final = re.compile(r"(?:([A-Z]+)\s+)?(\S+)(?:\s+HTTP/[\d.]+)?\s*")
_HEADER: Final = re.compile(r"\s*([A-Za-z-]+)\s*:\s*(.*?)\s*")
_SETTING: Final = r"\{\{\$(?:dotenv|processEnv) (\w+)\}\}"
_SIGNED: Final = re.compile(rf"(?:(?:Basic|Digest)\s+{_SETTING}[\s:]{_SETTING}|Bearer\s+{_SETTING})")


@calls.checked
@dataclass(frozen=True, repr=False)
class SavedQuery(Query):
    """A query of a file; `frame()` takes columns, limit and locale from its *options* unless it is given others."""

    options: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, **given: Any) -> pd.DataFrame:
        """Return the matching records as a table; see `Query.frame`."""
        return super().frame(**{**self.options, **given})


@calls.checked
def saved_requests(path: str | Path, client: Client) -> dict[str, SavedQuery]:
    """
    Return the requests of a `.http` file as queries by name; those without a name are numbered.

    Nothing is sent, no other file is opened, and credentials that the file names are not used: *client* signs with its
    own. A request is for all pages; which one the file asks for does not matter.

    Args:
        path: A file in the syntax of VS Code's REST Client.
        client: The vendor; each request has to be to its host, and one that a query of it sends.

    Raises:
        UsageError: A line is not understood, or a request is none of the client's; the message names file and line.
    """
    place = arguments.folder(path, "the path of a file")
    return _File(_text_of(place), place.name, client).queries()


def _text_of(place: Path) -> str:
    try:
        return read_bounded(place, limit_bytes=_BYTES).decode("utf-8-sig")
    except (SettingsError, UnicodeDecodeError) as exc:
        what = exc.what if isinstance(exc, SettingsError) else f"{place.name} is not UTF-8."
    raise UsageError(what, remedy="Give the path of a .http file.")


@dataclass
class _Block:
    """A request of a file: where it begins, what its comments say, and what is sent; no `url` if there is none."""

    line: int
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    method: str = "GET"
    url: str = ""
    accept: str = ""
    body: list[tuple[int, str]] = field(default_factory=list)


class _File:
    """The text of a file, read for one client."""

    def __init__(self, text: str, name: str, client: Client) -> None:
        if not isinstance(client, Client):
            arguments.refuse("client", "a connected client, such as vk.connect(...) returns", client)
        # Not splitlines: other line ends of Unicode may be in JSON texts.
        self._lines, self._name, self._client = list(enumerate(re.split("\r\n?|\n", text), 1)), name, client
        # Variables count in the whole file, wherever they are.
        found = (_VARIABLE.fullmatch(line) for _, line in self._lines)
        self._variables = {one[1]: one[2] for one in found if one is not None}

    def queries(self) -> dict[str, SavedQuery]:
        """Return the requests by name."""
        found: dict[str, SavedQuery] = {}
        lines: list[tuple[int, str]] = []
        for number, line in [*self._lines, (0, "###")]:
            if not line.startswith("###"):
                lines.append((number, line))
                continue
            block, lines = self._block(lines), []
            name = block.name or str(len(found) + 1)
            if block.url and name in found:
                self._fail(block.line, f"There is a request {name[:60]!r} above.", "Give it another name.")
            if block.url:
                found[name] = self._query(block)
        return found

    def _fail(self, line: int, what: str, remedy: str) -> NoReturn:
        what = f"{self._name}, line {line}: {what}"
        raise UsageError(what, remedy=remedy)

    def _block(self, lines: list[tuple[int, str]]) -> _Block:
        block, part = _Block(0), "start"
        for number, line in lines:
            if (comment := _COMMENT.match(line)) is not None:
                if comment[1] == "name":
                    block.name = comment[2].strip()
                elif comment[1] == "vendorkit":
                    block.options = self._options(number, comment[2])
            elif part == "body":
                block.body.append((number, line))
            elif not line.strip() or _VARIABLE.fullmatch(line):
                part = "body" if part == "head" and not line.strip() else part
            elif part == "start":
                part, block.line = "head", number
                found = _REQUEST.fullmatch(self._filled(number, line.strip()))
                if found is None:
                    self._fail(number, "This is no request.", "Write METHOD and URL, and body or headers below.")
                block.method, block.url = found[1] or "GET", found[2]
            elif line.lstrip()[:1] in ("?", "&"):
                block.url += self._filled(number, line.strip())
            else:
                self._header(block, number, line)
        return block

    def _header(self, block: _Block, number: int, line: str) -> None:
        found = _HEADER.fullmatch(line)
        if found is None:
            self._fail(number, "This is no header.", "Write NAME: VALUE, and an empty line before the body.")
        name, value = found[1].lower(), found[2]
        if name == "authorization":
            # Looked at, not repeated, and forgotten: the client signs with its own credentials.
            signed = _SIGNED.fullmatch(value)
            others = [one for one in signed.groups() if one and one not in self._client.setting_names] if signed else []
            if signed is None or others:
                what = (
                    f"{others[0][:40]} is no setting of {self._client.label}."
                    if others
                    else "Authorization is not a scheme with settings."
                )
                self._fail(number, what, "Write the scheme, and settings as {{$dotenv NAME}}.")
        elif name not in ("accept", "content-type", "user-agent"):
            self._fail(number, f"The header {found[1][:40]} is not sent by queries.", "Take it out.")
        elif name == "accept":
            block.accept = self._filled(number, value)

    def _options(self, number: int, text: str) -> dict[str, Any]:
        found = self._json([(number, text)])
        if not isinstance(found, dict):
            self._fail(number, "What follows @vendorkit is no JSON object.", 'Write {"limit": 100}, for example.')
        return found

    def _json(self, lines: list[tuple[int, str]]) -> Any:
        try:
            return strict_value("\n".join(line for _, line in lines))
        except StrictJsonError as error:
            problem = str(error)
        return self._fail(lines[0][0], f"The body {problem}.", "Write a JSON value.")

    def _body(self, block: _Block) -> Any:
        lines = [(number, line) for number, line in block.body if line.strip()]
        for number, line in lines:
            if line.lstrip()[:1] in ("<", ">"):
                self._fail(number, "Another file, or a script, is not read.", "Write the body as JSON.")
        return self._json([(number, self._filled(number, line)) for number, line in lines]) if lines else None

    def _filled(self, number: int, text: str, depth: int = 0) -> str:
        """Return *text* with the values of the file's own variables."""

        def value(used: re.Match[str]) -> str:
            name = used[1].strip()
            if depth == _DEPTH or name not in self._variables:
                unknown = f"{{{{{name[:40]}}}}} is no variable of this file."
                what = "Variables in a circle." if depth == _DEPTH else unknown
                self._fail(number, what, "Give it a value by @name = …; others are used only in Authorization.")
            return self._filled(number, self._variables[name], depth + 1)

        filled = _USED.sub(value, text)
        if "{{" in filled:
            self._fail(number, "Two braces begin no variable here.", "Write {{name}} on one line.")
        return filled

    def _query(self, block: _Block) -> SavedQuery:
        client, options, body = self._client, dict(block.options), self._body(block)
        unknown = [name for name in options if name not in _OPTIONS]
        if unknown:
            self._fail(block.line, f"@vendorkit has {unknown[0][:40]!r}.", f"There are {', '.join(_OPTIONS)}.")
        try:
            query = client.browsing.asked(block.method, block.url, body)
            accept = next((kind for kind in ("json", "xml") if kind in block.accept), query.ask.accept)
            ask = replace(query.ask, accept=choice(accept, client.accepts, f"{client.title} has no format of answers"))
            if "strategy" in options:
                what = f"{query.resource.name} has no strategy"
                ask = replace(ask, strategy=choice(options.pop("strategy"), query.resource.strategies, what))
            query.schema.project(arguments.columns(options.get("columns")), arguments.locale(options.get("locale")))
            check_limit(options.get("limit"))
            checked_nested(options.get("nested", "list"))
            sent = first_call(client.resource_of(ask), ask)
            wanted = client.session.prepare(sent)
        except VendorkitError as exc:
            self._fail(block.line, exc.what, exc.remedy)
        same = (sent.method, _parts(str(wanted.url)), _unpaged(sent.json))
        if same != (block.method, _parts(client.session.absolute(block.url)), _unpaged(body)):
            self._fail(block.line, "No query sends this request.", "Ask for it in the request panel, and save that.")
        return SavedQuery(client, ask, options)


def _parts(url: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the address and the parameters of a URL, without those that say the page."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", sorted(pair for pair in pairs if "pag" not in pair[0])


def _unpaged(body: Any) -> Any:
    return {name: value for name, value in body.items() if name != "page"} if isinstance(body, dict) else body


def http_text(query: Query, name: str, options: Mapping[str, Any] | None = None) -> str:
    """
    Return *query* as a request of a `.http` file, with the names of settings in place of credentials.

    Raises:
        UsageError: The query cannot be sent as it is.
    """
    client, call = query.client, first_call(query.resource, query.ask)
    prepared, signing = client.session.prepare(call), client.signing(call.scheme)
    usual = next(iter(query.resource.strategies), "")
    kept = {**(options or {}), **({} if query.ask.strategy in ("", usual) else {"strategy": query.ask.strategy})}
    lines = [f"### {name}", f"# @name {name}"]
    lines += [f"# @vendorkit {json.dumps(kept)}"] if kept else []
    url = str(prepared.url)
    shown = f"{{{{host}}}}{url.removeprefix(client.base_url)}" if url.startswith(f"{client.base_url}/") else url
    lines += [f"{prepared.method} {shown}"]
    lines += ["Content-Type: application/json"] * (call.json is not None) + [f"Accept: {prepared.headers['Accept']}"]
    if signing.kind != "none":
        settings = " ".join(f"{{{{$dotenv {variable}}}}}" for variable in signing.variables[:2])
        lines += [f"Authorization: {signing.kind.capitalize()} {settings}"]
    # Two braces would be a variable.
    body = "" if call.json is None else json.dumps(call.json, indent=2, ensure_ascii=False).replace("{{", "{\\u007b")
    return "\n".join([*lines, "", body]).rstrip() + "\n"


def save_request(
    path: str | Path, name: str, query: Query, client: Client, options: Mapping[str, Any] | None = None
) -> None:
    """
    Add *query* to a `.http` file, which is created if there is none.

    Raises:
        UsageError: The name is in use or no plain word; the file is another one; or the query is no single request.
    """
    if not re.fullmatch(r"[\w-]{1,80}", arguments.word(name, "name")):
        arguments.refuse("name", 'letters, digits, "-" and "_"', name)
    if not isinstance(query, Query):
        arguments.refuse("query", "a query", query)
    options = arguments.json_object(options or {}, "options")
    place = arguments.folder(path, "the path of a file")
    before = _text_of(place) if place.exists() else f"@host = {client.base_url}\n"
    text = f"{before.rstrip()}\n\n{http_text(query, name, options)}"
    # Read as it will be: changes, for example, come from a feed, whose address says nothing of the query.
    if _File(text, place.name, client).queries()[name].ask.resource != query.ask.resource:
        what = f"{query.resource.name} cannot be asked for by one request here."
        raise UsageError(what, remedy="Save the lines of vendorkit.")
    try:
        write_atomically(place, text.encode())  # as bytes, which keeps the line ends of the file
    except IncompletePull as exc:
        raise UsageError(exc.what, remedy="Choose another file.") from exc
