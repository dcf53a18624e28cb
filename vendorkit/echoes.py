"""
Texts from elsewhere: where a secret comes back in one, in whatever form, and what of it can be shown.

A server that echoes what it was sent writes it in its own way: HTML entities, JSON, PHP and .NET escapes, percent
escapes, one inside the other, each character differently. So the text is decoded, step by step, while each character
keeps its place in the original.
"""

from __future__ import annotations

import base64
import html
import re
from array import array
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes

_STEPS: Final = 4  # escapes inside escapes
_ESCAPE: Final = re.compile(
    r"&(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?"
    r"|(?:%[0-9a-fA-F]{2})+|(?:\\x[0-9a-fA-F]{2})+|(?:\\[0-7]{3})+"
    r"|(?:[\\%]u[0-9a-fA-F]{4})+|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8}|\\.|''|\"\""
)


def forms(text: str) -> frozenset[str]:
    """
    Return the forms of *text* that decoding escapes does not lead back to: base64, hexadecimal, UTF-8 as Latin-1.

    If it has what looks like escapes itself, also the form they have after the text around it is decoded.
    """
    raw = text.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex(), raw.hex().upper()}
    # With blanks in place of NUL bytes: UTF-16 that is read as UTF-8.
    found = encoded | {text, text.replace(" ", "+"), raw.decode("latin-1"), " ".join(text)}
    found |= {form.rstrip("=") for form in encoded}
    for form in tuple(found):
        left, step = _STEPS, form
        while left and _ESCAPE.search(step):
            left, step = left - 1, _ESCAPE.sub(lambda escape: _value(escape[0]), step)
            found.add(step)
    # A backslash at the end takes the next character of the text.
    return frozenset(found | {form.rstrip("\\") for form in found if len(form.rstrip("\\")) >= 4})


def masked(text: str, secrets: Collection[str], mask: str) -> str:
    """Return *text* with *mask* in place of each of *secrets*, escaped or not."""
    if not any(secret in text for secret in secrets) and not _ESCAPE.search(text):
        return text
    hidden = bytearray(len(text))
    level, starts, ends = text, array("l", range(len(text))), array("l", range(1, len(text) + 1))
    for _ in range(_STEPS):
        for secret in secrets:
            at = level.find(secret)
            while at >= 0:
                first, last = starts[at], ends[at + len(secret) - 1]
                hidden[first:last] = b"\1" * (last - first)
                at = level.find(secret, at + 1)
        decoded = _decoded(level, starts, ends)
        if decoded[0] == level:
            break
        level, starts, ends = decoded
    parts, end = [], 0
    for found in re.finditer(rb"\x01+", hidden):
        parts += [text[end : found.start()], mask]
        end = found.end()
    return "".join([*parts, text[end:]])


def _decoded(text: str, starts: array[int], ends: array[int]) -> tuple[str, array[int], array[int]]:
    """Undo one step of escapes; *starts* and *ends* say where each character came from."""
    parts, new_starts, new_ends, at = [], array("l"), array("l"), 0
    for found in _ESCAPE.finditer(text):
        value = _value(found[0])
        parts += [text[at : found.start()], value]
        new_starts += starts[at : found.start()] + array("l", [starts[found.start()]] * len(value))
        new_ends += ends[at : found.start()] + array("l", [ends[found.end() - 1]] * len(value))
        at = found.end()
    return "".join([*parts, text[at:]]), new_starts + starts[at:], new_ends + ends[at:]


def _value(escape: str) -> str:
    """Return what one escape, or a run of one kind, means."""
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[1] in "uU" and len(escape) > 2:
        codes = [int(code, 16) for code in re.findall(r"[0-9a-fA-F]+", escape)]
        units = "".join(chr(code) for code in codes if code < 0x110000)
        return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if escape[0] == "%":
        return _text(unquote_to_bytes(escape))
    if escape[1] == "x" and len(escape) > 2:
        return _text(bytes.fromhex(escape.replace("\\x", "")))
    if len(escape) > 2:
        return _text(bytes(int(code, 8) & 0xFF for code in re.findall(r"[0-7]{3}", escape)))
    return escape[1]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
