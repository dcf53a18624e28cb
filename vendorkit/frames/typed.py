"""
Reads JSON records into the frame's columns: Arrow reads what fits the declared types, the lossless reader the rest.

If one record does not fit, Arrow refuses the whole text. Therefore the members
that it would refuse ("odd" members: an undeclared name, or a value that does
not fit) are replaced by null in its text, and the lossless reader reads only
these. Members are independent, because each column comes from exactly one.

A reader remembers which members were odd in most records, and whether others
were odd too. This only affects speed, not the result, because both readers
accept the same values.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from vendorkit.frames.columns import ColumnBuilder
from vendorkit.frames.kinds import UnfitError, fitting, is_untyped, object_type, wire_type
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.page import Batch, joined
from vendorkit.frames.raw import members_in, members_of, spliced
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import loads, malformed
from vendorkit.strictjson import MAX_DEPTH, is_deeper

_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\]')
_POOL: Final = pa.system_memory_pool()  # its first allocation takes half the time of the default pool's
_MAX_USUAL: Final = 100  # members that are removed without testing whether they fit
_SAMPLE: Final = 64  # records from which the usual odd members are determined

# Finds the odd members of a record. Raises msgspec.DecodeError for a lone surrogate.
Find = Callable[[bytes], Mapping[str, bytes]]


class _Split(NamedTuple):
    """
    Records, divided into the texts that Arrow reads and their odd members.

    Attributes:
        texts: The records, with null in place of odd members.
        odd: The texts of odd members by name and row.
    """

    texts: list[bytes]
    odd: dict[str, dict[int, bytes]]

    def take(self, name: str) -> None:
        """Make a member odd in all records, because one of its values cannot be converted."""
        decode = members_of([name])
        found = {row: text for row, record in enumerate(self.texts) if (text := decode(record).f0) is not None}
        self.odd[name] = found | self.odd[name]


class JsonTyper:
    """
    Reads the texts of records under one schema; thread-safe.

    Args:
        schema: The columns to read.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema, self._closed = schema, schema.only is None
        self._columns, self._lossless = ColumnBuilder(schema), LosslessReader(schema)
        self._kinds = kinds = {column.wire: column.kind for column in self._columns.record.fields}
        self._wire = {name: wire_type(kind, schema.locales) for name, kind in kinds.items() if not is_untyped(kind)}
        self._types = {name: fitting(wire, closed=self._closed) for name, wire in self._wire.items()}
        self._fits = {name: msgspec.json.Decoder(kind).decode for name, kind in self._types.items()}
        # Arrow has no type for arbitrary JSON, so these members are always odd.
        self._usual = frozenset(self._kinds.keys() - self._wire.keys())
        self._has_unusual = False
        self._finder = lru_cache(maxsize=8)(self._make_finder)

    def read(self, raws: Sequence[bytes]) -> Batch:
        """
        Read records; each is the text of a JSON object.

        Raises:
            MalformedAnswer: A record is not strict JSON.
        """
        if not raws:
            return Batch(self._schema.empty())
        usual, columns = self._usual, None
        with suppress(msgspec.DecodeError):  # a lone surrogate
            if not self._has_unusual:
                split = _split(raws, _usual_finder(usual))
                columns = self._read_arrow(split)
            if columns is None:
                usual |= _often_odd(_split(raws[:_SAMPLE], self._finder(usual)))
                split = _split(raws, self._finder(usual))
                self._usual = usual | _often_odd(split)
                self._has_unusual = bool(split.odd.keys() - self._usual)
                columns = self._read_arrow(split)
        if columns is not None:
            odd = {
                name: dict(zip(texts, self._loads(list(texts.values()), level=1), strict=True))
                for name, texts in split.odd.items()
            }
            return self._lossless.merged(columns, len(raws), odd)
        return self._read_apart(raws)

    def _read_apart(self, raws: Sequence[bytes]) -> Batch:
        """Read records of which Arrow refuses at least one; the lossless reader reads those with a lone surrogate."""
        apart = [row for row, raw in enumerate(raws) if not _is_read(members_in, raw)]
        if len(raws) in (1, len(apart)):
            return self._lossless.read(self._loads(raws))
        first = apart or range(len(raws) // 2)
        parts = [first, sorted({*range(len(raws))}.difference(first))]
        batch = joined([self.read([raws[row] for row in part]) for part in parts], self._schema)
        return replace(batch, table=batch.table.take(np.argsort(np.concatenate(parts))))

    def _make_finder(self, usual: frozenset[str]) -> Find:
        """Return a function that finds all odd members; the *usual* ones count as odd without a test."""
        fields = self._types | dict.fromkeys(usual, msgspec.Raw)
        decode = msgspec.json.Decoder(object_type(fields, closed=self._closed)).decode
        find_usual = _usual_finder(usual)

        def find(raw: bytes) -> Mapping[str, bytes]:
            try:
                decode(raw)
            except msgspec.ValidationError:
                members = members_in(raw)
                return {name: text for name, text in members.items() if name in usual or not self._fit(name, text)}
            return find_usual(raw) if find_usual else {}

        return find

    def _fit(self, name: str, text: bytes) -> bool:
        return _is_read(self._fits[name], text) if name in self._fits else not self._closed

    def _read_arrow(self, split: _Split) -> dict[str, pa.Array] | None:
        """Return the columns of members that are not odd in all records; None if Arrow refuses a record."""
        texts = [*split.texts]
        texts[0] = b'{"":[%b' % texts[0]
        texts[-1] = b"%b]}" % texts[-1]
        # For Arrow a line end would end a record. In JSON, line ends occur only between tokens.
        body = b",".join(texts).replace(b"\n", b" ").replace(b"\r", b" ")
        others = dict.fromkeys(split.odd.keys() - self._wire.keys(), pa.null())
        reading = arrow_json.ReadOptions(block_size=len(body) + 64, use_threads=False)
        try:
            # Arrow is a tenth faster if the fields have the vendor's order.
            wire = {name: self._wire[name] for name in members_in(split.texts[0]) if name in self._wire} | self._wire
            options = arrow_json.ParseOptions(
                explicit_schema=pa.schema([("", pa.list_(pa.struct({**wire, **others})))]),
                unexpected_field_behavior="error" if self._closed else "ignore",
            )
            table = arrow_json.read_json(pa.BufferReader(body), reading, options, memory_pool=_POOL)
            records = table.column(0).chunk(0).flatten()
        except (msgspec.DecodeError, pa.ArrowInvalid):
            return None
        # Arrow checks the members that a projection leaves out, except for their depth.
        if not self._closed and any(is_deeper(str(text, "utf-8"), MAX_DEPTH) for text in split.texts):
            what = f"The answer is nested more than {MAX_DEPTH} levels deep."
            raise malformed(what)
        columns: dict[str, pa.Array] = {}
        for index, name in enumerate(wire):
            try:
                columns |= self._columns.build(name, records.field(index))
            except (pa.ArrowInvalid, UnfitError):
                split.take(name)
        return columns

    def _loads(self, texts: Sequence[bytes], level: int = 0) -> list[Any]:
        """Parse texts that are nested *level* levels deep in a record."""
        depth = MAX_DEPTH - level + 1
        values: list[Any] = loads(b"[%b]" % b",".join(texts), unique=self._closed, depth=depth)
        return values


def _is_read(decode: Callable[[bytes], Any], text: bytes) -> bool:
    try:
        decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _split(raws: Sequence[bytes], find: Find | None) -> _Split:
    """Take the members that *find* returns out of the records, and replace them by null."""
    split = _Split(list(raws), defaultdict(dict))
    for row, raw in enumerate(raws if find else ()):
        odd = find(raw) if find else {}
        for name, text in odd.items():
            split.odd[name][row] = text
        if odd:
            split.texts[row] = spliced(raw, odd.values())
    return split


def _often_odd(split: _Split) -> frozenset[str]:
    """Return the members that are odd in most records."""
    often = (name for name, texts in split.odd.items() if len(texts) * 2 > len(split.texts))
    # msgspec cannot find names that need escapes in JSON.
    return frozenset(sorted(name for name in often if not _ESCAPED.search(name))[:_MAX_USUAL])


@lru_cache(maxsize=64)
def _usual_finder(names: frozenset[str]) -> Find | None:
    """Return a function that finds these members of a record, odd or not; None if *names* is empty."""
    order = sorted(names)
    decode = members_of(order)

    def find(raw: bytes) -> Mapping[str, bytes]:
        texts = msgspec.structs.astuple(decode(raw))
        return {name: text for name, text in zip(order, texts, strict=True) if text is not None}

    return find if names else None
