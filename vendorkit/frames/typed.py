"""
JSON records to the frame's columns: Arrow reads what fits the declared types, and the lossless reader the rest.

Arrow reads all the records it is given, or none. So the members of records that
it would refuse ("odd" ones: of an undeclared name, or with a value that does
not fit) are replaced by null in its text, and only they are read one value at a
time. Members are independent: each column comes from exactly one of them.

A reader remembers which members were odd in most records, and whether there
were others. That decides which attempt comes first and never what is read,
because both readers agree on what fits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
from pyarrow import json as arrow_json

from vendorkit.frames.columns import ColumnBuilder, UnfitError
from vendorkit.frames.kinds import fitting, is_free, object_type, wire_type
from vendorkit.frames.leftout import check_left_out
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.page import Batch, joined
from vendorkit.frames.raw import members_in, members_of, spliced
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import compact, loads
from vendorkit.strictjson import MAX_DEPTH, on_any_stack

_CHUNK: Final = 1 << 23  # bytes of text for Arrow, which is quickest with a few megabytes
_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\]')
_POOL: Final = pa.system_memory_pool()  # a process gets its first memory from it in half the time
_MOST: Final = 100  # members that are looked for first
_SAMPLE: Final = 64  # records that show what most records have

Find = Callable[[bytes], Mapping[str, bytes]]
"""Finds the odd members of a record. Raises msgspec.DecodeError for half a surrogate pair."""


class _Parted(NamedTuple):
    """
    Records without their odd members, and these.

    Attributes:
        texts: The records.
        odd: The texts of odd members by name and row.
        whole: The rows of records that are odd as a whole.
    """

    texts: list[bytes]
    odd: dict[str, dict[int, bytes]]
    whole: list[int]


class JsonTyper:
    """
    Reads the texts of records under one schema; threads may share it.

    Args:
        schema: What to read.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema, self._closed = schema, schema.only is None
        self._columns, self._lossless = ColumnBuilder(schema), LosslessReader(schema)
        self._kinds = {column.wire: column.kind for column in self._columns.record.fields}
        self._wire = {name: wire_type(kind, schema.locales) for name, kind in self._kinds.items() if not is_free(kind)}
        self._types = {name: fitting(self._kinds[name], schema.locales, closed=self._closed) for name in self._wire}
        self._fits = {name: msgspec.json.Decoder(kind).decode for name, kind in self._types.items()}
        # Arrow has no type for values of any kind: they are always odd.
        self._usual = frozenset(self._kinds.keys() - self._wire.keys())
        self._fails = False
        self._finder = lru_cache(maxsize=8)(self._make_finder)

    def read(self, raws: Sequence[bytes]) -> Batch:
        """
        Read records, each the text of a JSON object.

        Raises:
            MalformedAnswer: A record is not strict JSON.
        """
        return joined([on_any_stack(self._read)(chunk) for chunk in _chunks(raws)], self._schema)

    def _read(self, raws: Sequence[bytes]) -> Batch:
        usual, columns = self._usual, None
        if not self._fails:
            parted = _part(raws, _usual_finder(usual))
            columns = self._arrow(parted)
        if columns is None:
            usual |= _often(_part(raws[:_SAMPLE], self._finder(usual)))
            parted = _part(raws, self._finder(usual))
            columns = self._arrow(parted)
            self._usual = usual | _often(parted)
            self._fails = bool(parted.whole or parted.odd.keys() - self._usual)
        if columns is not None:
            return self._merged(columns, raws, parted)
        if len(raws) == 1:
            return self._lossless.read(self._loads(raws))
        half = len(raws) // 2
        return joined([self._read(raws[:half]), self._read(raws[half:])], self._schema)

    def _make_finder(self, usual: frozenset[str]) -> Find:
        """Return the search for all odd members, of which the *usual* ones need no look."""
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
        if name not in self._fits:
            return not self._closed
        try:
            self._fits[name](text)
        except msgspec.ValidationError:
            return False
        return True

    def _arrow(self, parted: _Parted) -> dict[str, pa.Array] | None:
        """Return the declared columns without the values of odd members; None if Arrow refuses a record."""
        parts = [*parted.texts]
        parts[0] = b'{"":[%b' % parts[0]
        parts[-1] = b"%b]}" % parts[-1]
        # Line ends are spaces here, because there are none inside strings; for Arrow they would end a record.
        body = b",".join(parts).replace(b"\n", b" ").replace(b"\r", b" ")
        # Arrow is a tenth faster if it gets the fields in the order in which the vendor writes them.
        wire = {name: self._wire[name] for name in _names(parted.texts[0]) if name in self._wire} | self._wire
        others = dict.fromkeys(parted.odd.keys() - self._wire.keys(), pa.null())
        options = arrow_json.ParseOptions(
            explicit_schema=pa.schema([("", pa.list_(pa.struct({**wire, **others})))]),
            unexpected_field_behavior="error" if self._closed else "ignore",
        )
        reading = arrow_json.ReadOptions(block_size=len(body) + 64, use_threads=False)
        try:
            table = arrow_json.read_json(pa.BufferReader(body), reading, options, memory_pool=_POOL)
            records = table.column(0).chunk(0).flatten()
            columns = [self._columns.build(name, records.field(index)) for index, name in enumerate(wire)]
        except (pa.ArrowInvalid, UnfitError):
            return None
        if not self._closed:
            check_left_out(parted.texts, body)
        return {name: array for found in columns for name, array in found.items()}

    def _merged(self, columns: Mapping[str, pa.Array], raws: Sequence[bytes], parted: _Parted) -> Batch:
        """Put what the lossless reader makes of the odd parts in their places."""
        odd: dict[str, dict[int, Any]] = {}
        undeclared: dict[str, dict[int, str]] = {}
        for name, texts in parted.odd.items():
            values = dict(zip(texts, self._loads(list(texts.values()), above=1), strict=True))
            if name in self._kinds:
                odd[name] = values
            else:
                undeclared[name] = {row: compact(bytes(texts[row]), value) for row, value in values.items()}
        whole = dict(zip(parted.whole, self._loads([raws[row] for row in parted.whole]), strict=True))
        return self._lossless.completed(columns, len(raws), odd, undeclared, whole)

    def _loads(self, texts: Sequence[bytes], above: int = 0) -> list[Any]:
        """Return the values of texts, above which there are so many levels in a record."""
        depth = MAX_DEPTH - above + 1
        values: list[Any] = loads(b"[%b]" % b",".join(texts), unique=self._closed, depth=depth)
        return values


def _names(record: bytes) -> Iterable[str]:
    """The names of a record's members as the vendor writes them; none if msgspec does not read it."""
    try:
        return members_in(record)
    except msgspec.MsgspecError:
        return ()


def _part(raws: Sequence[bytes], find: Find | None) -> _Parted:
    """Replace what *find* finds by null."""
    parted = _Parted(list(raws), defaultdict(dict), [])
    for row, raw in enumerate(raws if find else ()):
        try:
            odd = find(raw) if find else {}
        except msgspec.DecodeError:
            parted.whole.append(row)
            parted.texts[row] = b"{}"
            continue
        for name, text in odd.items():
            parted.odd[name][row] = text
        if odd:
            parted.texts[row] = spliced(raw, odd.values())
    return parted


def _often(parted: _Parted) -> frozenset[str]:
    """Return the members that are odd in most records."""
    often = (name for name, texts in parted.odd.items() if len(texts) * 2 > len(parted.texts))
    # msgspec looks for no names that JSON has to write with escapes.
    return frozenset(sorted(name for name in often if not _ESCAPED.search(name))[:_MOST])


@lru_cache(maxsize=64)
def _usual_finder(names: frozenset[str]) -> Find | None:
    """Return the search for these members of a record, odd or not; None if there are none."""
    order = sorted(names)
    decode = members_of(order)

    def find(raw: bytes) -> Mapping[str, bytes]:
        texts = msgspec.structs.astuple(decode(raw))
        return {name: text for name, text in zip(order, texts, strict=True) if text is not None}

    return find if names else None


def _chunks(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield the records in parts of about as many bytes as Arrow reads best."""
    start = size = 0
    for row, raw in enumerate(raws):
        size += len(raw)
        if size > _CHUNK:
            yield raws[start : row + 1]
            start, size = row + 1, 0
    if start < len(raws):
        yield raws[start:]
