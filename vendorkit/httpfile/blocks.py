"""
The text of a `.http` file as requests: plain values, nothing is sent and no other file is opened.

The syntax is that of VS Code's REST Client (github.com/Huachao/vscode-restclient, README as of 2026-11): requests are
separated by `###`, lines that begin with `#` or `//` are comments, `# @name x` names a request, `@x = …` is a variable
of the file, and `{{x}}` its value. What reaches outside of the file (`{{$…}}`, `< ./body.json`, the response of another
request) is refused, but for settings of the vendor in the header Authorization.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from vendorkit.errors import UsageError

_VARIABLE: Final = re.compile(r"@([A-Za-z_][\w-]*)\s*=\s*(.*)")
_USED: Final = re.compile(r"\{\{(.*?)\}\}")
_COMMENT: Final = re.compile(r"\s*(#|//)\s*(?:@(name|vendorkit)\s+(.*))?")
_REQUEST: Final = re.compile(r"(?:([A-Z]+)\s+)?(\S+)(?:\s+HTTP/[\d.]+)?\s*")
_HEADER: Final = re.compile(r"([A-Za-z-]+)\s*:\s*(.*)")
_DEPTH: Final = 20  # variables in variables


@dataclass
class Block:
    """
    One request of a file.

    Attributes:
        line: Where its first line is, counted from 1.
        name, options: What `# @name` and `# @vendorkit` say.
        method, url, headers, json: The request; `url` is "" if there is none.
    """

    line: int
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    method: str = "GET"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None


def fail(file: str, line: int, what: str, remedy: str) -> NoReturn:
    """Raise the error that says what is wrong in this line."""
    what = f"{file}, line {line}: {what}"
    raise UsageError(what, remedy=remedy)


def blocks_of(text: str, file: str, signed: Callable[[str], str | None]) -> list[Block]:
    """
    Return the requests of a file.

    Args:
        text: Of the file.
        file: Its name, for messages.
        signed: What is wrong with a value of the header Authorization; None: nothing.

    Raises:
        UsageError: A line is not understood or reaches outside of the file; the message names file and line.
    """
    return [block for block in _Reader(text, file, signed).blocks() if block.url]


class _Reader:
    def __init__(self, text: str, file: str, signed: Callable[[str], str | None]) -> None:
        self._lines = list(enumerate(text.splitlines(), 1))
        self._file, self._signed, self._variables = file, signed, dict[str, str]()

    def blocks(self) -> Iterator[Block]:
        # Variables count in the whole file, wherever they are.
        for _, line in self._lines:
            if (found := _VARIABLE.fullmatch(line.strip())) is not None:
                self._variables[found[1]] = found[2].strip()
        lines: list[tuple[int, str]] = []
        for number, line in [*self._lines, (0, "###")]:
            if line.startswith("###"):
                yield self._block(lines)
                lines = []
            else:
                lines.append((number, line))

    def _block(self, lines: list[tuple[int, str]]) -> Block:
        block, body, part = Block(lines[0][0] if lines else 1), list[tuple[int, str]](), "start"
        for number, line in lines:
            if (comment := _COMMENT.match(line)) is not None:
                self._comment(block, number, comment[2], comment[3])
            elif part == "body":
                body.append((number, line))
            elif not line.strip() or _VARIABLE.fullmatch(line.strip()):
                part = "body" if part == "head" and not line.strip() else part
            elif part == "start":
                part, block.line = "head", number
                self._request_line(block, number, line)
            elif line.lstrip()[:1] in ("?", "&"):
                block.url += self._filled(number, line.strip())
            else:
                self._header(block, number, line)
        block.json = self._json(body)
        return block

    def _comment(self, block: Block, number: int, kind: str | None, text: str | None) -> None:
        if kind == "name":
            block.name = (text or "").strip()
        elif kind == "vendorkit":
            block.options = self._object(number, text or "")

    def _request_line(self, block: Block, number: int, line: str) -> None:
        found = _REQUEST.fullmatch(self._filled(number, line.strip()))
        if found is None:
            fail(self._file, number, "This is no request.", "Write METHOD and URL, and body or headers below.")
        block.method, block.url = found[1] or "GET", found[2]

    def _header(self, block: Block, number: int, line: str) -> None:
        found = _HEADER.fullmatch(line.strip())
        if found is None:
            fail(self._file, number, "This is no header.", "Write NAME: VALUE, and an empty line before the body.")
        name, value = found[1].lower(), found[2]
        if name == "authorization":
            # Looked at and forgotten: the client signs with its own credentials.
            if problem := self._signed(value):
                fail(self._file, number, problem, "Write the scheme, and settings as {{$dotenv NAME}}.")
        elif name in ("accept", "content-type", "user-agent"):
            block.headers[name] = self._filled(number, value)
        else:
            fail(self._file, number, f"The header {found[1][:40]} is not sent by queries.", "Take it out.")

    def _json(self, body: list[tuple[int, str]]) -> Any:
        lines = [(number, line) for number, line in body if line.strip()]
        for number, line in lines:
            if line.lstrip()[:1] in ("<", ">"):
                what = "Another file, or a script, is not read."
                fail(self._file, number, what, "Write the body as JSON.")
        return json_of("\n".join(self._filled(*one) for one in lines), self._file, lines[0][0]) if lines else None

    def _object(self, number: int, text: str) -> Mapping[str, Any]:
        found = json_of(text, self._file, number)
        if not isinstance(found, dict):
            fail(self._file, number, "What follows @vendorkit is no JSON object.", 'Write {"limit": 100}, for example.')
        return found

    def _filled(self, number: int, text: str, depth: int = 0) -> str:
        """Return *text* with the values of the file's own variables."""

        def value(used: re.Match[str]) -> str:
            name = used[1].strip()
            if name not in self._variables or depth == _DEPTH:
                what = (
                    f"{{{{{name[:40]}}}}} is no variable of this file." if depth < _DEPTH else "Variables in a circle."
                )
                fail(self._file, number, what, "Give it a value by @name = …; others are used only in Authorization.")
            return self._filled(number, self._variables[name], depth + 1)

        filled = _USED.sub(value, text)
        if "{{" in filled:
            fail(self._file, number, "Two braces begin no variable here.", "Write {{name}} on one line.")
        return filled


def json_of(text: str, file: str, line: int) -> Any:
    """Return the JSON value that *text* is; the error names file and line."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    return fail(file, line, "The body is not JSON.", "Write a JSON value.")
