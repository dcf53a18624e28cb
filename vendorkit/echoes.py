"""
Finds secrets in texts from other sources, in any escaped form, and masks them.

A server may echo what it received with HTML entities, with JSON, PHP, .NET or percent escapes, with one inside another,
or with a different kind per character. So the text is decoded step by step, and the position of each decoded character
in the original is recorded.
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
    r"|(?:[\\%]u[0-9a-fA-F]{4})+|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8}|\\.|''|\"\"|\s{2,}|[^\S ]"
)


def encoded_forms(text: str) -> frozenset[str]:
    """
    Return *text*, and the forms of it that are not escapes: other case, base64, hexadecimal, UTF-8 read as Latin-1.

    If *text* itself looks escaped, the result also has its decoded forms, because decoding a message changes it too.
    """
    raw = text.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex(), raw.hex().upper()}
    # The last one is UTF-16 read as UTF-8, with blanks for the NUL bytes.
    variants = encoded | {text, text.replace(" ", "+"), raw.decode("latin-1"), " ".join(text)}
    variants |= {text.lower(), text.upper()} | {form.rstrip("=") for form in encoded}
    for form in tuple(variants):
        steps, decoded = _STEPS, form
        while steps and _ESCAPE.search(decoded):
            steps, decoded = steps - 1, _ESCAPE.sub(lambda escape: _value(escape[0]), decoded)
            variants.add(decoded)
    # A backslash at the end would escape the next character of the message.
    return frozenset(variants | {form.rstrip("\\") for form in variants if len(form.rstrip("\\")) >= 4})


def masked(text: str, secrets: Collection[str], mask: str) -> str:
    """Return *text* with *mask* instead of each of *secrets*, escaped or not."""
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
    for match in re.finditer(rb"\x01+", hidden):
        parts += [text[end : match.start()], mask]
        end = match.end()
    return "".join([*parts, text[end:]])


def _decoded(text: str, starts: array[int], ends: array[int]) -> tuple[str, array[int], array[int]]:
    """Decode one level of escapes; *starts* and *ends* are the positions of each character in the original."""
    parts, new_starts, new_ends, at = [], array("l"), array("l"), 0
    for escape in _ESCAPE.finditer(text):
        value = _value(escape[0])
        parts += [text[at : escape.start()], value]
        new_starts += starts[at : escape.start()] + array("l", [starts[escape.start()]] * len(value))
        new_ends += ends[at : escape.start()] + array("l", [ends[escape.end() - 1]] * len(value))
        at = escape.end()
    return "".join([*parts, text[at:]]), new_starts + starts[at:], new_ends + ends[at:]


def _value(escape: str) -> str:
    """Decode one escape, or a run of escapes of one kind; line breaks and runs of blanks count as one blank."""
    if escape.isspace():
        return " "
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
