"""The state of a table: its filters, order, columns and page. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, Union

import numpy as np
import numpy.typing as npt
import pandas as pd

from vendorkit import arguments, calls
from vendorkit.ask import choice, suggestion
from vendorkit.deadline import check_cancelled
from vendorkit.errors import UsageError
from vendorkit.panels.markup import counted
from vendorkit.panels.table.columns import Columns, Facts, contains, facts, is_empty, kind_of, labelled, order, sortable
from vendorkit.panels.table.conditions import condition, literal, looks_typed, mask_code, mask_of, plain_names
from vendorkit.panels.table.files import is_mock, write_columns

PRESETS: Final = {"With values": "", "All": "", "Numbers": "number", "Texts": "text", "Dates": "date"}
"""Column presets by name, with the kind of their columns as `kind_of` returns it; "" is any kind."""

_Rows = Union[slice, "npt.NDArray[np.intp]"]
_ALL: Final[_Rows] = slice(None)  # all rows in the order of the frame
_Show = Callable[[], None]


@calls.checked
class View:
    """
    The filters, order, columns and page of a frame on view. Each method that changes them calls `changed`.

    Args:
        frame: Any DataFrame.
        page_size: Rows per page.

    Attributes:
        names: The names of columns that `df[name]` selects in code, by label.
    """

    def __init__(self, frame: pd.DataFrame, page_size: int = 20) -> None:
        self._page_size = max(arguments.integer(page_size, "page_size", "a number of rows"), 1)
        self.show(frame)

    def changed(self) -> None:
        """Called after each change of the view; subclasses override it to redraw."""

    @property
    def frame(self) -> pd.DataFrame:
        """The filtered and sorted rows of all pages, with the chosen columns (initially all columns)."""
        shown = self._data.iloc[self._rows, self._positions()]
        shown.attrs = deepcopy(self._attrs)
        return shown

    @property
    def code(self) -> str:
        """A pandas expression for `frame`, where df is the original frame and vk is vendorkit."""
        if len(self._chosen) == len(self._columns):
            return self.rows_code()
        if self.names.keys() >= {*self._chosen}:
            return f"{self.rows_code()}[[{', '.join(literal(self.names[label]) for label in self._chosen)}]]"
        return f"{self.rows_code()}.iloc[:, {self._positions()}]"

    def show(self, frame: Any) -> None:
        """Show another DataFrame: its first page, unfiltered and unsorted."""
        if not isinstance(frame, pd.DataFrame):
            what = f"A table shows a pandas DataFrame, not {arguments.shown(frame)}."
            raise UsageError(what, remedy="Convert it first, for example with .frame() or pandas.DataFrame(...).")
        # A shallow copy: with the copy-on-write of pandas 3, later changes to the caller's frame do not affect it.
        self._data = frame.copy(deep=False)
        self._attrs, self._data.attrs = self._data.attrs, {}  # pandas deep-copies attrs with each column
        self._columns = labelled(self._data)
        self._labels = self.columns[len(self._columns) - self._data.shape[1] :]  # without the index levels
        self.names = plain_names(self._data, self._labels)
        self._chosen, self._visible = tuple(self._columns), tuple(self.preset("With values"))
        self._show_rows({}, "", False, _ALL)

    def filter(self, text: str, column: str | None = None) -> None:
        """
        Show only the rows that match *text*; an empty text removes the filter. A row must match all filters.

        Args:
            text: With a column, a condition for its type: `>1000`, `10..20`, `5 | 7`, `!=5`, `2026-03` (all of it),
                `true`, `null`, `not null`, part of a text, `=a whole text`. Without one, part of a text in any case.
            column: The column to filter by; None searches all columns.
        """
        self.filtering(text, column)()

    def filtering(self, text: str, column: str | None = None) -> _Show:
        """Compute the rows of `filter`; returns a function that shows them."""
        text = arguments.text(text, "text")
        label = "" if column is None else self._label_of(column)
        others = {name: other_text for name, other_text in self._filters.items() if name != label}
        return self._prepare(others | ({label: text} if text else {}))

    def clear(self) -> None:
        """Remove all filters."""
        self._prepare({})()

    def sort(self, column: str | None, *, descending: bool = False) -> None:
        """Sort by a column, nulls last; None restores the order of the frame."""
        self.sorting(column, descending=descending)()

    def sorting(self, column: str | None, *, descending: bool = False) -> _Show:
        """Compute the order of `sort`; returns a function that shows it."""
        return self._prepare(self._filters, ("" if column is None else self._label_of(column), descending))

    def matches(self, text: str, column: str | None = None) -> npt.NDArray[np.bool_]:
        """Return a boolean mask over the whole frame: True for each row that matches this one filter."""
        return self._mask("" if column is None else self._label_of(column), text, _ALL)

    def rows(self, filters: Mapping[str, str], sort: str = "", *, descending: bool = False) -> npt.NDArray[np.intp]:
        """Return the sorted positions of the rows that match *filters*: texts by column label, "" for all columns."""
        filters = arguments.json_object(filters, "filters")
        return np.arange(len(self._data))[self._matching_rows(filters, sort, descending)]

    def choose(self, columns: Sequence[str] | None) -> None:
        """Show only these columns, in the order of the frame; None shows all of them, including empty ones."""
        wanted = {*self._labels_of(columns)}
        self._chosen = self._visible = tuple(label for label in self._columns if label in wanted)
        self.changed()

    def preset(self, name: str) -> list[str]:
        """Return the column labels of one of `PRESETS`."""
        kind = PRESETS[choice(name, PRESETS, "A table has no preset")]
        if name == "With values" and (filled := [key for key, column in self._columns.items() if not is_empty(column)]):
            return filled
        return [label for label, column in self._columns.items() if not kind or kind_of(column) == kind]

    def go(self, page: int) -> None:
        """Go to a page, counted from 1; a number past the end goes to the last page."""
        self._page = min(max(arguments.integer(page, "page", "a number"), 1), self.pages)
        self.changed()

    def resize(self, page_size: int) -> None:
        """Set the number of rows per page and go to the first page."""
        self._page_size = max(arguments.integer(page_size, "page_size", "a number of rows"), 1)
        self.go(1)

    @property
    def page(self) -> int:
        """The number of the current page, counted from 1."""
        return self._page

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(-(-self._count // self._page_size), 1)

    @property
    def filters(self) -> dict[str, str]:
        """The filters by column label; the filter on all columns has the label ""."""
        return dict(self._filters)

    def chips(self) -> list[str]:
        """Return a description of each filter, such as "price: >1000"."""
        return [f"{label or 'any column'}: {text}" for label, text in self._filters.items()]

    def facts(self, columns: Iterable[str] | None = None) -> dict[str, Facts]:
        """Return statistics per column, of *columns* or of all of them; reads the whole frame."""
        return {label: facts(self._columns[label]) for label in self._labels_of(columns)}

    def save(self, path: str | Path) -> Path:
        """
        Save `frame` as CSV, Parquet or Excel, by the extension of *path*; replaces an existing file.

        Raises:
            UsageError: The extension or the folder is unknown, or the data exceeds the limits of Excel.
            IncompletePull: The file could not be written; an existing file is unchanged.
        """
        return write_columns(self.selected(), path, self.about)

    @property
    def columns(self) -> list[str]:
        """The labels of all columns; the index levels come first, unless the index only numbers the rows."""
        return list(self._columns)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The labels of the columns of `frame`."""
        return self._chosen

    @property
    def visible(self) -> tuple[str, ...]:
        """The labels of the columns on view: `chosen`, without the empty ones until `choose` is called."""
        return self._visible

    def _label_of(self, column: Any) -> str:
        label = str(column)
        if label not in self._columns:
            what = f"The table has no column {arguments.shown(column)}."
            raise UsageError(what, remedy=suggestion(label, self._columns))
        return label

    def _labels_of(self, columns: Any) -> list[str]:
        """Return the labels of one column, of an iterable of columns, or of all columns if None."""
        named = [columns] if isinstance(columns, str) else arguments.values(columns, "columns")
        if columns is not None and named is None:
            arguments.refuse("columns", "a list of column names", columns)
        return list(map(self._label_of, self._columns if named is None else named))

    def _prepare(self, filters: Mapping[str, str], order_by: tuple[str, bool] | None = None) -> _Show:
        """Compute the rows, in the given or the current order; returns a function that shows them."""
        data, (sort, descending) = self._data, order_by or (self._sort, self._descending)
        rows = self._matching_rows(filters, sort, descending)
        # The rows are discarded if `show` has replaced the frame in the meantime.
        return lambda: self._show_rows(filters, sort, descending, rows) if data is self._data else None

    def _matching_rows(self, filters: Mapping[str, str], sort: str, descending: bool) -> _Rows:
        """Return the positions of the rows that match all filters, sorted."""
        rows = _ALL
        for label, text in filters.items():
            matching = np.flatnonzero(self._mask(label, text, rows))  # each filter only reads the rows that remain
            rows = matching if isinstance(rows, slice) else rows[matching]
        if sort:
            check_cancelled()
            ordered = order(self._columns[self._label_of(sort)].iloc[rows], descending=descending)
            rows = ordered if isinstance(rows, slice) else rows[ordered]
        return rows

    def _show_rows(self, filters: Mapping[str, str], sort: str, descending: bool, rows: _Rows) -> None:
        self._filters, self._sort, self._descending = dict(filters), sort, descending
        self._rows, self._count, self._page = rows, len(self._data.index[rows]), 1
        self.changed()

    def _mask(self, label: str, text: str, rows: _Rows) -> npt.NDArray[np.bool_]:
        check_cancelled()
        text = arguments.text(text, "text")
        if label:
            column = self._columns[self._label_of(label)].iloc[rows]
            parsed = condition(column, text, label)
            return contains(column, text) if parsed is None else mask_of(column, parsed)
        if looks_typed(text):
            what = f"“{text}” is a condition on numbers or dates, but no column is chosen."
            raise UsageError(what, remedy="Choose a column for it.")
        masks = [contains(column.iloc[rows], text) for column in self._columns.values()]
        return np.logical_or.reduce(masks) if masks else np.zeros(len(self._data.index[rows]), dtype=bool)

    def _positions(self) -> list[int]:
        """Return the positions of the chosen columns in the frame."""
        return [position for position, label in enumerate(self._labels) if label in self._chosen]

    def rows_code(self) -> str:
        """Return the pandas expression for the rows of `frame`, with all columns."""
        if self._sort and (self._sort not in self.names or not sortable(self._columns[self._sort])):
            direction = ", descending=True" if self._descending else ""
            return f"df.iloc[vk.table(df).rows({self._filters!r}, {literal(self._sort)}{direction})]"
        several = len(self._filters) > 1
        masks = " & ".join(mask_code(*one, self._columns, self.names, joined=several) for one in self._filters.items())
        direction = ", ascending=False" if self._descending else ""
        ordered = f'.sort_values({literal(self.names[self._sort])}{direction}, kind="stable")' if self._sort else ""
        return f"df{f'[{masks}]' if masks else ''}{ordered}"

    def column(self, label: str, *, shown: bool = False) -> pd.Series[Any]:
        """Return one column: all rows of it, or only the rows of `frame` if *shown*."""
        return self._columns[self._label_of(label)].iloc[self._rows if shown else _ALL]

    def selected(self) -> Columns:
        """Return the columns of `frame` by label, including chosen index levels."""
        return {label: self._columns[label].iloc[self._rows] for label in self._chosen}

    def on_page(self) -> Columns:
        """Return the visible columns of the current page by label."""
        page = slice(self._first, self._first + self._page_size)
        rows = page if isinstance(self._rows, slice) else self._rows[page]
        return {label: self._columns[label].iloc[rows] for label in self._visible}

    def row(self, number: int) -> tuple[int, Columns]:
        """Return the position in the frame of row *number* of the page, counted from 0, and all its values."""
        last = min(self._page_size, self._count - self._first) - 1
        rank = self._first + arguments.integer(number, "number", "a row of this page, counted from 0", low=0, high=last)
        position = rank if isinstance(self._rows, slice) else int(self._rows[rank])
        return position, {label: column.iloc[[position]] for label, column in self._columns.items()}

    @property
    def _first(self) -> int:
        return (self._page - 1) * self._page_size

    @property
    def about(self) -> Mapping[str, Any]:
        """The `attrs["vendorkit"]` of the frame; empty if it is not from a vendor."""
        about = self._attrs.get("vendorkit")
        return about if isinstance(about, Mapping) else {}

    def summary(self) -> str:
        """Describe the page in one line: its rows, hidden columns, filters and order."""
        last = min(self._first + self._page_size, self._count)
        line = f"rows {self._first + 1:,} to {last:,} of {self._count:,}" if self._count else "no rows"
        if self._filters:
            line += f" (filtered from {len(self._data):,})"
        if len(self._chosen) < len(self._columns):
            line += f"; {len(self._chosen):,} of {len(self._columns):,} columns"
        elif len(self._visible) < len(self._columns):
            line += f"; {counted(len(self._columns) - len(self._visible), 'empty column')} hidden"
        line += "; mock data" * is_mock(self.about) + "".join(f"; {chip}" for chip in self.chips())
        return f"{line}; sorted by {self._sort}, {'de' if self._descending else 'a'}scending" if self._sort else line
