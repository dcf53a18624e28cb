"""
Cutting a JSON array of records apart without reading them.

A cut may be wrong, where objects inside records look like records. That shows
when the pieces are parsed: if each is whole JSON, then JSON's grammar leaves no
other way to part the array.
"""

from __future__ import annotations

import re

_BETWEEN = re.compile(rb"\},[ \t]*(?=\{)")
_OPENING = re.compile(rb'[ \t]*\[[ \t]*(\{"[^"\\]*":"?)')


def opening(array: bytes) -> tuple[int, bytes] | None:
    """Where the first record begins, and what stands between two if all begin with the same key, close together."""
    found = _OPENING.match(array)
    return None if found is None else (found.start(1), b"},%b" % found[1])


def around_in_array(array: bytes, start: int, at: int) -> tuple[int, int] | None:
    """Begin and end of the record in which *at* is, behind the record that ends at *start*; None: that is not known."""
    found = opening(array)
    if found is None:
        return None
    first, between = found
    before, behind = array.rfind(between, start, at), array.find(between, at)
    return before + 2 if before >= 0 else max(first, start + 1), behind + 1 or array.rfind(b"}") + 1


def around_in_lines(lines: bytes, start: int, at: int) -> tuple[int, int]:
    """The same for a record in a line."""
    return lines.rfind(b"\n", start, at) + 1, lines.find(b"\n", at)


def cut_where_alike(array: bytes) -> list[bytes]:
    """Cut an array into its records where one begins as the first does: with the same key, close behind another."""
    found = opening(array)
    if found is None:
        return cut_by_braces(array)
    (start, between), records = found, list[bytes]()
    while (end := array.find(between, start) + 1) > 0:
        records.append(array[start:end])
        start = end + 1
    return [*records, array[start:].rstrip()[:-1].rstrip()]


def cut_by_braces(array: bytes) -> list[bytes]:
    """Cut an array into its records by counting braces, those inside texts too; it is slower."""
    records, start, depth, position = list[bytes](), 0, 0, 0
    inner = array.strip()[1:-1]
    for match in _BETWEEN.finditer(inner):
        depth += inner.count(b"{", position, match.start() + 1) - inner.count(b"}", position, match.start() + 1)
        position = match.start() + 1
        if depth == 0:
            records.append(inner[start:position])
            start = match.end()
    return [*records, inner[start:]]
