"""Requests of a `.http` file as queries, and queries as such a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

from vendorkit import arguments
from vendorkit.ask import choice
from vendorkit.errors import SettingsError, UsageError, VendorkitError
from vendorkit.files import read_bounded
from vendorkit.frames import NESTED
from vendorkit.httpfile.blocks import Block, blocks_of, fail
from vendorkit.pull import check_limit
from vendorkit.query import Query
from vendorkit.resource import first_call
from vendorkit.vendors.client import Client

_BYTES: Final = 1 << 20  # of a file; no collection that people keep is larger
_OPTIONS: Final = ("columns", "limit", "locale", "nested", "strategy")
_SETTING: Final = r"\{\{\$(?:dotenv|processEnv) (\w+)\}\}"
_SIGNED: Final = re.compile(rf"(?:(Basic|Digest)\s+{_SETTING}[\s:]{_SETTING}|(Bearer)\s+{_SETTING})")


@dataclass(frozen=True, repr=False)
class SavedQuery(Query):
    """
    A query of a file; `frame()` takes columns, limit and locale from there unless it is given others.

    Attributes:
        options: Columns, limit and locale, as `frame` takes them.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, **given: Any) -> pd.DataFrame:
        """Return the matching records as a table; see `Query.frame`."""
        return super().frame(**{**self.options, **given})


@arguments.checked
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
    place = arguments.folder(path)
    return _queries(_text_of(place), place.name, client)


def _queries(text: str, file: str, client: Client) -> dict[str, SavedQuery]:
    if not isinstance(client, Client):
        arguments.refuse("client", "a connected client, such as vk.connect(...) returns", client)
    found: dict[str, SavedQuery] = {}
    for number, block in enumerate(blocks_of(text, file, lambda value: _unsigned(value, client)), 1):
        name = block.name or str(number)
        if name in found:
            fail(file, block.line, f"There is a request {name[:60]!r} above.", "Give it another name.")
        found[name] = _query(block, client, file)
    return found


def _text_of(place: Path) -> str:
    try:
        return read_bounded(place, limit_bytes=_BYTES).decode("utf-8-sig")
    except (SettingsError, UnicodeDecodeError) as exc:
        what = exc.what if isinstance(exc, SettingsError) else f"{place.name} is not UTF-8."
    raise UsageError(what, remedy="Give the path of a .http file.")


def _unsigned(value: str, client: Client) -> str | None:
    """Return what is wrong with a value of Authorization, which may be a credential and is not repeated."""
    found = _SIGNED.fullmatch(value.strip())
    if found is None:
        return "Authorization is not a scheme with settings."
    strange = [
        name for name in found.groups() if name not in (None, "Basic", "Digest", "Bearer", *client.setting_names)
    ]
    return f"{strange[0][:40]} is no setting of {client.label}." if strange else None


def _query(block: Block, client: Client, file: str) -> SavedQuery:
    options = dict(block.options)
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        fail(file, block.line, f"@vendorkit has {unknown[0][:40]!r}.", f"There are {', '.join(_OPTIONS)}.")
    strategy = options.pop("strategy", None)
    try:
        query = client.browsing.asked(block.method, block.url, block.json)
        media = block.headers.get("accept", "")
        accept = next((kind for kind in ("json", "xml") if kind in media), query.ask.accept)
        choice(accept, client.accepts, f"{client.title} has no format of answers")
        ask = replace(query.ask, accept=accept, strategy=strategy or query.ask.strategy)
        query.schema.project(arguments.columns(options.get("columns")), arguments.locale(options.get("locale")))
        check_limit(options.get("limit"))
        choice(options.get("nested", "list"), NESTED, "nested cannot be")
        if strategy is not None:
            choice(strategy, query.resource.strategies, f"{query.resource.name} has no strategy")
        sent = first_call(client.resource_of(ask), ask)
        wanted = client.session.prepare(sent)
    except VendorkitError as exc:
        fail(file, block.line, exc.what, exc.remedy)
    same = (sent.method, _parts(str(wanted.url)), _unpaged(sent.json))
    if same != (block.method, _parts(client.session.absolute(block.url)), _unpaged(block.json)):
        fail(file, block.line, "No query sends this request.", "Ask for it in the request panel, and save that.")
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
    kept = dict(options or {})
    if query.ask.strategy and query.ask.strategy != next(iter(query.resource.strategies), ""):
        kept["strategy"] = query.ask.strategy
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
        UsageError: The name is in use or has other characters than letters, digits, "-" and "_"; the file is no such
            file, or for another host; or the query cannot be written as one request.
    """
    if not re.fullmatch(r"[\w-]{1,80}", name):
        arguments.refuse("name", 'letters, digits, "-" and "_"', name)
    place = arguments.folder(path)
    start = f"@host = {client.base_url}\n"
    before = _text_of(place) if place.exists() else start
    text = f"{before.rstrip()}\n\n{http_text(query, name, options)}"
    # Read as it will be: changes, for example, come from a feed, whose address says nothing of the query.
    if _queries(text, place.name, client)[name].ask.resource != query.ask.resource:
        what = f"{query.resource.name} cannot be asked for by one request here."
        raise UsageError(what, remedy="Save the lines of vendorkit.")
    temporary = place.with_name(f".{place.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(place)
    except OSError as exc:
        what = f"{place.name} cannot be written ({exc.strerror})."
        raise UsageError(what, remedy="Choose another file.") from exc
