"""Records of which most fit their schema: those go by Arrow's parser, and only the others one value at a time."""

from __future__ import annotations

import contextlib
import re
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from vendorkit.frames.fast import FastParser, Parsed
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.pages import Page, combine
from vendorkit.frames.values import loads
from vendorkit.frames.wire import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vendorkit.frames.drift import Drift
    from vendorkit.frames.schema import Schema

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_MANY = 200  # records: more will probably follow, and a look at one of these pays
_OFTEN = 8  # a new field in one of so many records is looked for from then on; a rarer one is cheaper left alone


class MixedPage(NamedTuple):
    """
    What one part became.

    Attributes:
        page: Its records.
        metas: Their stream meta, in arrays or lists.
        odd: How many did not fit.
    """

    page: Page
    metas: list[Any]
    odd: int


class MixedReader:
    """
    Reads records on the faster path for each.

    Args:
        schema: What to read.
        wrapped_as: The key of the record in its line, where records come with their stream meta.
    """

    def __init__(self, schema: Schema, wrapped_as: str | None = None) -> None:
        self._schema = schema
        self._wrapped = wrapped_as
        self._unknown: dict[str, str] = {}
        self._order: tuple[str, ...] = ()
        self.lossless = LosslessReader(schema)
        try:
            self.fast: FastParser | None = FastParser(schema, wrapped_as, self._unknown)
        except UnfitError:
            self.fast = None

    def read(self, parts: Sequence[Sequence[bytes]], load: Callable[[int, int], tuple[Any, Any]]) -> list[MixedPage]:
        """
        Read JSON texts of one record each, without line ends.

        Args:
            parts: The texts, some hundreds in each part: a record that does not fit has its part read again.
            load: Gives a record's values by its part and its place there, and its stream meta; called for those that
                do not fit.
        """
        fast = self.fast
        if fast is None:
            return self._pages(parts, [None] * len(parts), load, None)
        try:
            pages = self._pages(parts, [fast.most(part) for part in parts], load, fast)
        except UnfitError:
            # It shows only in the conversion of all parts; with a look at each it is found, and taken out.
            pages = self._pages(parts, [fast.most(part, convert=True) for part in parts], load, fast)
        if not self._order and sum(map(len, parts)) >= _MANY:
            self._look_at(next(part[0] for part in parts if part))
        for page, *_ in pages:
            self._learn(page.drift, page.rows)
        return pages

    def _look_at(self, record: bytes) -> None:
        """Let the parser expect fields in the order in which they come."""
        found = loads(record)
        self._order = tuple(found.get(self._wrapped, found) if self._wrapped else found)
        self.fast = FastParser(self._schema, self._wrapped, self._unknown, self._order)

    def _pages(
        self,
        parts: Sequence[Sequence[bytes]],
        found: list[Parsed | None],
        load: Callable[[int, int], tuple[Any, Any]],
        fast: FastParser | None,
    ) -> list[MixedPage]:
        arrays = [one.records for one in found if one]
        # All in one go: what these calls cost hardly depends on how many records there are.
        table = fast.convert(_whole(arrays)) if fast and arrays else self._schema.empty()
        pages, start = list[MixedPage](), 0
        for number, (part, one) in enumerate(zip(parts, found, strict=True)):
            odd = one.odd if one else set(range(len(part)))
            loaded = [load(number, at) for at in sorted(odd)]
            slow = self.lossless.read([record for record, _ in loaded]) if loaded else None
            pieces, metas, taken = list[Page](), list[Any](), 0
            for is_odd, group in groupby(range(len(part)), odd.__contains__):
                places = list(group)
                count = len(places)
                if slow and is_odd:
                    pieces.append(Page(slow.table.slice(taken, count)))
                    metas.append([meta for _, meta in loaded[taken : taken + count]])
                    taken += count
                elif fast and one:
                    pieces.append(fast.page(table.slice(start + places[0], count)))
                    metas.append(one.meta and one.meta.slice(places[0], count))
            start += len(part) if one else 0
            page = pieces[0] if len(pieces) == 1 else Page(*_combined(pieces, self._schema))
            if slow:
                page.drift.merge(slow.drift)
            pages.append(MixedPage(page, metas, len(odd)))
        return pages

    def _learn(self, drift: Drift, rows: int) -> None:
        """Let the parser read new fields that are often there, where their names tell them from all others."""
        for name, count in drift.unknown.items():
            column = self.lossless.appended((name,))
            seen = name in self._unknown or column in self._unknown.values() or self.lossless.declares(name)
            if seen or count * _OFTEN < rows or not _PLAIN_NAME.fullmatch(name):
                continue
            unknown = dict(sorted({**self._unknown, name: column}.items(), key=itemgetter(1)))
            with contextlib.suppress(UnfitError):
                self.fast, self._unknown = FastParser(self._schema, self._wrapped, unknown, self._order), unknown


def _combined(pieces: list[Page], schema: Schema) -> tuple[pa.Table, dict[str, Any], Drift]:
    table, drift = combine(pieces, schema)
    return table, {}, drift


def _whole(arrays: list[pa.StructArray]) -> pa.StructArray:
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
