"""Records of which most fit their schema: those go by Arrow's parser, and only the others one value at a time."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from itertools import accumulate, chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pyarrow as pa

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.columns import UnfitError
from vendorkit.frames.fast import FastParser, Parsed, Whole
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.misfits import Habits
from vendorkit.frames.page import Page, combine
from vendorkit.frames.values import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vendorkit.frames.drift import Drift
    from vendorkit.frames.schema import Schema

T = TypeVar("T")
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PART = 250  # records that are read again for one that unexpectedly does not fit
_MANY = 200  # records: more will probably follow, and a look at one of these pays
_NEW = 16  # new fields that are looked for, which takes time on each page
_OFTEN = 8  # a new field in one of so many records is looked for from then on; a rarer one is cheaper left alone


class MixedPage(NamedTuple):
    """
    What one page became.

    Attributes:
        page: Its records.
        metas: Their stream meta, in arrays or lists.
    """

    page: Page
    metas: list[Any]


class _Converted(NamedTuple):
    """Records as Arrow read them, in the frame's columns; empty ones in the places that are `odd`."""

    table: pa.Table
    meta: pa.Array | None
    odd: set[int]

    def slice(self, start: int, count: int) -> _Converted:
        odd = {at - start for at in self.odd.intersection(range(start, start + count))}
        return _Converted(self.table.slice(start, count), self.meta and self.meta.slice(start, count), odd)


@lru_cache(maxsize=32)
def mixed_reader(schema: Schema, wrapped_as: str | None = None) -> MixedReader:
    """The reader of all pulls under one schema: what it has learnt of the vendor's ways is of use to the next pull."""
    return MixedReader(schema, wrapped_as)


class MixedReader:
    """
    Reads records on the faster path for each.

    Args:
        schema: What to read.
        wrapped_as: The key of the record in its line, where records come with their stream meta.

    Attributes:
        calm: Whether nothing unexpected was among the last records, so that the next may be read in one go.
    """

    def __init__(self, schema: Schema, wrapped_as: str | None = None) -> None:
        self._schema = schema
        self._wrapped = wrapped_as
        self._unknown: dict[str, str] = {}
        self._order: tuple[str, ...] = ()
        self.calm = False
        self.lossless = LosslessReader(schema)
        self._habits = Habits()
        self.fast: FastParser | None = None
        with contextlib.suppress(UnfitError):
            self._renew({}, ())

    def _renew(self, unknown: dict[str, str], order: tuple[str, ...]) -> None:
        """Make a parser that knows more. Raises UnfitError as the parser does."""
        self.fast = FastParser(self._schema, self._wrapped, unknown, order, self._habits)
        self._unknown, self._order = unknown, order

    def read(self, pages: Sequence[Sequence[bytes]], load: Callable[[int], tuple[Any, Any]]) -> list[MixedPage]:
        """
        Read JSON texts of one record each, without line ends.

        Args:
            pages: The texts of each page.
            load: Gives the values of one of all records by its place, and its stream meta; called for those that do
                not fit.
        """
        texts, lengths = [*chain.from_iterable(pages)], [*map(len, pages)]
        fast = self.fast
        if fast and texts:
            whole = self._converted(fast, texts)
            found = self._pages(fast, whole, [load(at) for at in sorted(whole.odd)], lengths)
        else:
            parts = _parted([load(at) for at in range(len(texts))], lengths)
            slow = self.lossless.read_all([[record for record, _ in part] for part in parts])
            found = [MixedPage(page, [[meta for _, meta in part]]) for page, part in zip(slow, parts, strict=True)]
        if fast and not self._order and len(texts) >= _MANY:
            self._look_at(texts[0])
        self._learn(found)
        return found

    def whole(
        self, read: Callable[[FastParser], Whole], load: Callable[[bytes, int], tuple[Any, Any]]
    ) -> list[MixedPage]:
        """
        Read pages in one go, as long as nothing unexpected is among the records.

        Args:
            read: Has the parser read them.
            load: Gives the values of a record that does not fit by its text and its place, and its stream meta.

        Raises:
            UnfitError: There is, or was lately, or something is malformed; then `read` tells.
        """
        fast = self.fast
        if fast is None or not self.calm:
            raise UnfitError
        try:
            found = read(fast)
            table = _Converted(fast.convert(found.records), found.meta, set(found.odd))
            loaded = [load(text, at) for text, at in zip(found.cut, found.odd, strict=True)]
        except (UnfitError, MalformedAnswer) as error:
            self.calm = False
            raise UnfitError from error
        pages = self._pages(fast, table, loaded, found.lengths)
        self._learn(pages)
        return pages

    def _converted(self, fast: FastParser, records: Sequence[bytes]) -> _Converted:
        """Read in parts, for a surprise has its part read again."""
        parts = [records[start : start + _PART] for start in range(0, len(records), _PART)]
        try:
            found = _joined([fast.most(part) or fast.none(part) for part in parts])
            table = fast.convert(found.records)
        except UnfitError:
            # It shows only in the conversion of all; with a look at each part it is found, and taken out.
            found = _joined([fast.most(part, convert=True) or fast.none(part) for part in parts])
            table = fast.convert(found.records)
        self.calm = not found.surprised
        return _Converted(table, found.meta, found.odd)

    def _pages(
        self, fast: FastParser, whole: _Converted, loaded: list[tuple[Any, Any]], lengths: list[int]
    ) -> list[MixedPage]:
        """Part the records into their pages, and put those that do not fit in their places."""
        starts = accumulate(lengths, initial=0)
        parts = [whole.slice(start, length) for start, length in zip(starts, lengths, strict=False)]
        others = _parted(loaded, [len(one.odd) for one in parts])
        slow = self.lossless.read_all([[record for record, _ in some] for some in others])
        each = zip(parts, slow, others, strict=True)
        return [self._page(fast, one, page, [meta for _, meta in some]) for one, page, some in each]

    def _page(self, fast: FastParser, one: _Converted, slow: Page, slow_metas: list[Any]) -> MixedPage:
        if not one.odd:
            return MixedPage(fast.page(one.table), [one.meta])
        pieces, metas, taken = list[Page](), list[Any](), 0
        for is_odd, group in groupby(range(len(one.table)), one.odd.__contains__):
            places = list(group)
            count = len(places)
            if is_odd:
                pieces.append(Page(slow.table.slice(taken, count)))
                metas.append(slow_metas[taken : taken + count])
                taken += count
            else:
                pieces.append(fast.page(one.table.slice(places[0], count)))
                metas.append(one.meta and one.meta.slice(places[0], count))
        page = pieces[0] if len(pieces) == 1 else Page(*_combined(pieces, self._schema))
        page.drift.merge(slow.drift)
        return MixedPage(page, metas)

    def _look_at(self, record: bytes) -> None:
        """Let the parser expect fields in the order in which they come."""
        found = loads(record)
        self._renew(self._unknown, tuple(found.get(self._wrapped, found) if self._wrapped else found))

    def _learn(self, pages: list[MixedPage]) -> None:
        """Let the parser read new fields that are often there, where their names tell them from all others."""
        unknown = ((*item, page.rows) for page, _ in pages for item in page.drift.unknown.items())
        for name, count, rows in unknown:
            column = self.lossless.appended((name,))
            seen = name in self._unknown or column in self._unknown.values() or self.lossless.declares(name)
            rare = count * _OFTEN < rows or len(self._unknown) >= _NEW
            if seen or rare or not _PLAIN_NAME.fullmatch(name):
                continue
            with contextlib.suppress(UnfitError):
                self._renew(dict(sorted({**self._unknown, name: column}.items(), key=itemgetter(1))), self._order)


def _combined(pieces: list[Page], schema: Schema) -> tuple[pa.Table, dict[str, Any], Drift]:
    table, drift = combine(pieces, schema)
    return table, {}, drift


def _parted(items: list[T], lengths: list[int]) -> list[list[T]]:
    rest = iter(items)
    return [[*islice(rest, length)] for length in lengths]


def _joined(found: list[Parsed]) -> Parsed:
    """What the parts became, in one."""
    starts = accumulate((len(one.records) for one in found), initial=0)
    odd = {start + at for start, one in zip(starts, found, strict=False) for at in one.odd}
    metas = [one.meta for one in found if one.meta is not None]
    records = pa.concat_arrays([one.records for one in found])
    return Parsed(records, pa.concat_arrays(metas) if metas else None, odd, any(one.surprised for one in found))
