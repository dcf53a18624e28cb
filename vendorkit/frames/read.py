"""Pages to typed batches: one reader per query result, which several threads may use at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from vendorkit.frames.page import Batch, Page, combine
from vendorkit.frames.schema import Schema


class TableReader:
    """
    Reads pages under one schema. What it returns depends on the pages and the schema only, in whatever order they come.

    Args:
        schema: The declared columns.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._readers: dict[type[Page], Callable[[Sequence[Any]], Batch]] = {}

    def read(self, pages: Sequence[Page]) -> Batch:
        """
        Read several pages at once, which is faster than one by one; rows are in order.

        Raises:
            MalformedAnswer: A record is not an object, or not strict JSON or XML.
        """
        batches = [self._reader(form)(list(group)) for form, group in groupby(pages, type)]
        return batches[0] if len(batches) == 1 else Batch(*combine(batches, self._schema))

    def _reader(self, form: type[Page]) -> Callable[[Sequence[Any]], Batch]:
        if form not in self._readers:
            self._readers[form] = form.reader(self._schema)
        return self._readers[form]
