"""Records of which most fit their schema: those go by Arrow's parser, and only the others one value at a time."""

from __future__ import annotations

import contextlib
import re
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from vendorkit.frames.fast import FastParser
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.pages import Page, combine
from vendorkit.frames.wire import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vendorkit.frames.drift import Drift
    from vendorkit.frames.schema import Schema

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_AT_ONCE = 1000  # records; a fault has them read again
_OFTEN = 8  # a new field in one of so many records is looked for from then on; a rarer one is cheaper left alone


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
        self.lossless = LosslessReader(schema)
        try:
            self.fast: FastParser | None = FastParser(schema, wrapped_as, self._unknown)
        except UnfitError:
            self.fast = None

    def read(self, records: Sequence[bytes], load: Callable[[int], tuple[Any, Any]]) -> tuple[Page, list[Any]]:
        """
        Read JSON texts of one record each, without line ends.

        Args:
            records: The texts.
            load: Gives a record's values by its position, and its stream meta; called for those that do not fit.

        Returns:
            The page, and the stream meta of the records in arrays or lists, in order.
        """
        pages, metas, fast = list[Page](), list[Any](), self.fast
        for start in range(0, len(records), _AT_ONCE):
            part = records[start : start + _AT_ONCE]
            found = fast.most(part) if fast else None
            odd = found[2] if found else set(range(len(part)))
            for is_odd, group in groupby(range(len(part)), odd.__contains__):
                places = list(group)
                if fast and found and not is_odd:
                    table, meta, _ = found
                    pages.append(fast.page(table.slice(places[0], len(places))))
                    metas.append(meta and meta.slice(places[0], len(places)))
                else:
                    loaded = [load(start + at) for at in places]
                    pages.append(self.lossless.read([record for record, _ in loaded]))
                    metas.append([meta for _, meta in loaded])
        table, drift = combine(pages, self._schema)
        if fast:
            self._learn(drift, len(records))
        return Page(table, drift=drift), metas

    def _learn(self, drift: Drift, rows: int) -> None:
        """Let the parser read new fields that are often there, where their names tell them from all others."""
        for name, count in drift.unknown.items():
            column = self.lossless.appended((name,))
            seen = name in self._unknown or column in self._unknown.values() or self.lossless.declares(name)
            if seen or count * _OFTEN < rows or not _PLAIN_NAME.fullmatch(name):
                continue
            unknown = dict(sorted({**self._unknown, name: column}.items(), key=itemgetter(1)))
            with contextlib.suppress(UnfitError):
                self.fast, self._unknown = FastParser(self._schema, self._wrapped, unknown), unknown
