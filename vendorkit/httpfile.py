"""
Reads the requests in a `.http` file as queries, and writes queries to such a file, for other programs to send.

The syntax is that of VS Code's REST Client (github.com/Huachao/vscode-restclient, README as of 2026-11). References
to anything outside the file (`{{$…}}`, `< ./body.json`, the response to another request) are refused, except the
vendor's settings in the header Authorization.
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
from vendorkit.ask import choice, suggestion
from vendorkit.errors import IncompletePull, SettingsError, UsageError, VendorkitError
from vendorkit.files import read_bounded, real_path
from vendorkit.pull import check_limit
from vendorkit.query import Query, checked_nested
from vendorkit.resource import first_call
from vendorkit.saved.files import write_atomically
from vendorkit.strictjson import StrictJsonError, strict_value
from vendorkit.vendors.client import Client

_MAX_BYTES: Final = 1 << 20
_MAX_USES: Final = 1_000  # of variables in one line, including those in the values of others
_OPTIONS: Final = ("columns", "limit", "locale", "nested", "strategy")
_VARIABLE: Final = re.compile(r"\s*@([A-Za-z_][\w-]*)\s*=\s*(.*?)\s*")
_USED: Final = re.compile(r"\{\{(.*?)\}\}")
_COMMENT: Final = re.compile(r"\s*(?:#|//)\s*(?:@(name|vendorkit)(?:\s*=|\s)\s*(.*))?")
_REQUEST: Final = re.compile(r"(?:([A-Z]+|get|post)\s+)?(\S+)(?:\s+HTTP/[\d.]+)?\s*")
_HEADER: Final = re.compile(r"\s*([A-Za-z-]+)\s*:\s*(.*?)\s*")
_SETTING: Final = r"\{\{\$(?:dotenv|processEnv) (\w+)\}\}"
_AUTHORIZATION: Final = re.compile(rf"(?:(?:Basic|Digest)\s+{_SETTING}[\s:]{_SETTING}|Bearer\s+{_SETTING})")


@calls.checked
@dataclass(frozen=True, repr=False)
class SavedQuery(Query):
    """A query from a file. Its *options* are the default arguments of `frame()`."""

    options: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, **overrides: Any) -> pd.DataFrame:
        """Return the matching records as a table; see `Query.frame`."""
        return super().frame(**{**self.options, **overrides})


@calls.checked
def saved_requests(path: str | Path, client: Client) -> dict[str, SavedQuery]:
    """
    Return the requests in a `.http` file as a dict of queries by name. Requests without a name are numbered.

    Nothing is sent and no other file is opened. *client* uses its own credentials, not those that the file names. Each
    query returns all pages, whichever page the request in the file is for.

    Args:
        path: A file in the syntax of VS Code's REST Client.
        client: The client of the vendor. Each request must be one that its queries send.

    Raises:
        UsageError: A line has a syntax error, or the client sends no such request. The message names file and line.
    """
    file = arguments.folder(path, "the path of a file")
    return _File(_text_of(file), file.name, client).queries()


def _text_of(path: Path) -> str:
    try:
        return read_bounded(path, limit_bytes=_MAX_BYTES).decode("utf-8-sig")
    except (SettingsError, UnicodeDecodeError) as exc:
        what = exc.what if isinstance(exc, SettingsError) else f"{path.name} is not UTF-8."
    raise UsageError(what, remedy="Give the path of a .http file.")


@dataclass
class _Block:
    """A request in a file, with the number of its first line and the settings from its comments. `url` may be ""."""

    line: int
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    method: str = "GET"
    url: str = ""
    accept: str = ""
    body: list[tuple[int, str]] = field(default_factory=list)


class _File:
    def __init__(self, text: str, name: str, client: Client) -> None:
        if not isinstance(client, Client):
            arguments.refuse("client", "a connected client, such as vk.connect(...) returns", client)
        # Not splitlines(), because strings in JSON may contain other line separators of Unicode.
        self._lines, self._name, self._client = list(enumerate(re.split("\r\n?|\n", text), 1)), name, client
        # A variable is valid in the whole file, also above its definition.
        self._variables = {match[1]: match[2] for _, line in self._lines if (match := _VARIABLE.fullmatch(line))}

    def queries(self) -> dict[str, SavedQuery]:
        """Return the requests by name."""
        queries: dict[str, SavedQuery] = {}
        lines: list[tuple[int, str]] = []
        for number, line in [*self._lines, (0, "###")]:
            if not line.startswith("###"):
                lines.append((number, line))
                continue
            block, lines = self._block(lines), []
            name = block.name or str(len(queries) + 1)
            if block.url and name in queries:
                self._fail(block.line, f"An earlier request is also named {name[:60]!r}.", "Give it another name.")
            if block.url:
                queries[name] = self._query(block)
        return queries

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
                match = _REQUEST.fullmatch(self._substitute(number, line.strip()))
                if match is None:
                    self._fail(number, "This is not a request.", "Write METHOD and URL, then headers and body.")
                block.method, block.url = (match[1] or "GET").upper(), match[2]
            elif line.lstrip()[:1] in ("?", "&"):
                block.url += self._substitute(number, line.strip())
            else:
                self._header(block, number, line)
        return block

    def _header(self, block: _Block, number: int, line: str) -> None:
        match = _HEADER.fullmatch(line)
        if match is None:
            self._fail(number, "This is not a header.", "Write NAME: VALUE, and an empty line before the body.")
        name, value = match[1].lower(), match[2]
        if name == "authorization":
            # Checked but not used, because the client has its own credentials. An error must not show the value.
            scheme, known = _AUTHORIZATION.fullmatch(value), self._client.setting_names
            unknown = [setting for setting in scheme.groups() if setting and setting not in known] if scheme else []
            if scheme is None or unknown:
                not_a_setting = f"{unknown[0][:40]} is not a setting of {self._client.label}." if unknown else ""
                what = not_a_setting or "Authorization is not a scheme followed by settings."
                self._fail(number, what, "Write the scheme, and settings as {{$dotenv NAME}}.")
        elif name not in ("accept", "content-type", "user-agent"):
            self._fail(number, f"The header {match[1][:40]} is not sent by queries.", "Remove it.")
        elif name == "accept":
            block.accept = self._substitute(number, value)

    def _options(self, number: int, text: str) -> dict[str, Any]:
        options = self._json([(number, text)])
        if not isinstance(options, dict):
            self._fail(number, "The text after @vendorkit is not a JSON object.", 'Write for example {"limit": 100}.')
        return options

    def _json(self, lines: list[tuple[int, str]]) -> Any:
        try:
            return strict_value("\n".join(line for _, line in lines))
        except StrictJsonError as error:
            problem = str(error)
        return self._fail(lines[0][0], f"This text {problem}.", "Write a JSON value.")

    def _body(self, block: _Block) -> Any:
        lines = [(number, line) for number, line in block.body if line.strip()]
        return self._json([(number, self._substitute(number, line)) for number, line in lines]) if lines else None

    def _substitute(self, number: int, text: str) -> str:
        """Replace the variables in *text* by their values, which may contain variables."""
        for _ in range(_MAX_USES):
            match = _USED.search(text)
            if match is None or len(text) > _MAX_BYTES:
                break
            name = match[1].strip()
            if name not in self._variables:
                what = f"{{{{{name[:40]}}}}} is not a variable of this file."
                self._fail(number, what, "Define it with @name = …. Only Authorization may refer to settings.")
            text = text[: match.start()] + self._variables[name] + text[match.end() :]
        if _USED.search(text):
            self._fail(number, "The variables of this line form a circle, or are too long.", "Write out their values.")
        return text

    def _query(self, block: _Block) -> SavedQuery:
        client, options, body = self._client, dict(block.options), self._body(block)
        unknown = [name for name in options if name not in _OPTIONS]
        if unknown:
            what = f"@vendorkit has no option {unknown[0][:40]!r}."
            self._fail(block.line, what, suggestion(unknown[0], _OPTIONS))
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
            call = first_call(client.resource_of(ask), ask)
            prepared = client.session.prepare(call)
        except VendorkitError as exc:
            self._fail(block.line, exc.what, exc.remedy)
        sent = (call.method, _parts(str(prepared.url)), _unpaged(call.json))
        if sent != (block.method, _parts(client.session.absolute(block.url)), _unpaged(body)):
            self._fail(block.line, "No query sends this request.", "Build it in the request panel, and save it there.")
        return SavedQuery(client, ask, options)


def _parts(url: str) -> tuple[str, list[tuple[str, str]]]:
    """Split a URL into its address and its parameters, without those for paging."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", sorted(pair for pair in pairs if "pag" not in pair[0])


def _unpaged(body: Any) -> Any:
    return {name: value for name, value in body.items() if name != "page"} if isinstance(body, dict) else body


def http_text(query: Query, name: str, options: Mapping[str, Any] | None = None) -> str:
    """
    Return *query* as a request for a `.http` file, with names of settings instead of credentials.

    Raises:
        UsageError: The query cannot be sent.
    """
    client, call = query.client, first_call(query.resource, query.ask)
    prepared, signing = client.session.prepare(call), client.signing(call.scheme)
    default = next(iter(query.resource.strategies), "")
    saved = {**(options or {}), **({} if query.ask.strategy in ("", default) else {"strategy": query.ask.strategy})}
    lines = [f"### {name}", f"# @name {name}"]
    lines += [f"# @vendorkit {json.dumps(saved)}"] if saved else []
    url = str(prepared.url)
    shown = f"{{{{host}}}}{url.removeprefix(client.base_url)}" if url.startswith(f"{client.base_url}/") else url
    lines += [f"{prepared.method} {shown}"]
    lines += ["Content-Type: application/json"] * (call.json is not None) + [f"Accept: {prepared.headers['Accept']}"]
    settings = " ".join(f"{{{{$dotenv {variable}}}}}" for variable in signing.variables[:2])
    special = {"none": [], "token": ["# Other programs need an access token here; vendorkit fetches its own."]}
    lines += special.get(signing.kind, [f"Authorization: {signing.kind.capitalize()} {settings}"])
    # "{{" would begin a variable.
    body = "" if call.json is None else json.dumps(call.json, indent=2, ensure_ascii=False).replace("{{", "{\\u007b")
    return "\n".join([*lines, "", body]).rstrip() + "\n"


def save_request(
    path: str | Path, name: str, query: Query, client: Client, options: Mapping[str, Any] | None = None
) -> None:
    """
    Append *query* to a `.http` file, which is created if needed.

    Raises:
        UsageError: The name is already used or not valid, the file cannot be read or written, or the query cannot be
            sent as one request.
    """
    if not re.fullmatch(r"[\w-]{1,80}", arguments.word(name, "name")):
        arguments.refuse("name", 'letters, digits, "-" and "_"', name)
    if not isinstance(query, Query):
        arguments.refuse("query", "a query", query)
    options = arguments.json_object(options or {}, "options")
    file = arguments.folder(path, "the path of a file")
    if file.exists() and not file.is_file():
        arguments.refuse("path", "the path of a file", path)
    before = _text_of(file) if file.exists() else ""
    host = "" if re.search(r"^\s*@host\s*=", before, re.MULTILINE) else f"@host = {client.base_url}\n\n"
    text = f"{before.rstrip()}\n\n{host}{http_text(query, name, options)}".lstrip("\n")
    # A query with since= begins with a request to the feed of changes, which would be read as another query.
    if _File(text, file.name, client).queries()[name].ask.resource != query.ask.resource:
        what = f"This query of {query.resource.name} cannot be saved as one request."
        raise UsageError(what, remedy="Save it as Python code.")
    try:
        write_atomically(real_path(file), text.encode())  # as bytes, which keeps the line ends of the file
    except IncompletePull as exc:
        raise UsageError(exc.what, remedy="Choose another file.") from exc
