"""What is shown of a frame: which rows and columns, in which order, which page. Values and methods, no widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, Union

import numpy as np
import numpy.typing as npt
import pandas as pd

from vendorkit import arguments
from vendorkit.ask import suggestion
from vendorkit.deadline import check_cancelled
from vendorkit.errors import UsageError
from vendorkit.panels.markup import counted
from vendorkit.panels.table.columns import Columns, Facts, facts, has_values, holds, kind_of, labelled, order, unordered
from vendorkit.panels.table.conditions import condition, literal, looks_typed
from vendorkit.panels.table.files import is_mock, write_columns

PRESETS: Final = {"With values": "", "All": "", "Numbers": "number", "Texts": "text", "Dates": "date"}
"""Sets of columns by name, with their kind, as `kind_of` returns it."""

_Rows = Union[slice, "npt.NDArray[np.intp]"]
_ALL: Final[_Rows] = slice(None)  # as they are
_Show = Callable[[], None]


class View:
    """
    What is shown of a frame; each method changes it and calls `changed`.

    Args:
        frame: Any DataFrame.
        page_size: Rows per page.
    """

    def __init__(self, frame: pd.DataFrame, page_size: int = 20) -> None:
        self._page_size = max(arguments.integer(page_size, "page_size", "a number of rows"), 1)
        self.show(frame)

    def changed(self) -> None:
        """Do whatever has to be done when something else is shown."""

    @property
    def frame(self) -> pd.DataFrame:
        """The rows that pass the filters, sorted, all pages of them, and the chosen columns; at first all columns."""
        shown = self._data.iloc[self._rows, self._positions()]
        shown.attrs = deepcopy(self._attrs)
        return shown

    @property
    def code(self) -> str:
        """An expression of pandas that gives `frame`, if df is the whole frame and vk is vendorkit."""
        if len(self._chosen) == len(self._columns):
            return self.rows_code()
        if all(map(self.is_plain, self._chosen)):
            return f"{self.rows_code()}[[{', '.join(map(literal, self._chosen))}]]"
        return f"{self.rows_code()}.iloc[:, {self._positions()}]"

    def show(self, frame: Any) -> None:
        """Show another DataFrame from its first row, without filters."""
        if not isinstance(frame, pd.DataFrame):
            what = f"A table shows a pandas DataFrame, not {arguments.shown(frame)}."
            raise UsageError(what, remedy="Convert it first, for example with .frame() or pandas.DataFrame(...).")
        # Shallow, and yet under pandas 3 later changes of the caller's frame do not reach it.
        self._data = frame.copy(deep=False)
        self._attrs, self._data.attrs = self._data.attrs, {}  # pandas copies them, deeply, with each column
        self._columns = labelled(self._data)
        self._chosen, self._visible = tuple(self._columns), tuple(self.preset("With values"))
        self._show_rows({}, "", False, _ALL)

    def filter(self, text: str, column: str | None = None) -> None:
        """
        Show only rows that fit *text*; an empty text removes the filter. Filters on several columns hold together.

        Args:
            text: With a column, by its type: `>1000`, `10..20`, `5 | 7`, `!=5`, `2026-03` (the whole month), `true`,
                `null`, `not null`, part of a text, `=a whole text`. Without a column, part of a text, in any case.
            column: Where; None looks in all columns.
        """
        self.filtering(text, column)()

    def filtering(self, text: str, column: str | None = None) -> _Show:
        """Find the rows of `filter` and return what shows them."""
        text = arguments.text(text, "text")
        label = "" if column is None else self._known(column)
        kept = {name: one for name, one in self._filters.items() if name != label}
        return self._finding(kept | ({label: text} if text else {}))

    def clear(self) -> None:
        """Remove all filters."""
        self._finding({})()

    def sort(self, column: str | None, *, descending: bool = False) -> None:
        """Sort by a column, nulls last; None goes back to the order of the frame."""
        self.sorting(column, descending=descending)()

    def sorting(self, column: str | None, *, descending: bool = False) -> _Show:
        """Find the order of `sort` and return what shows it."""
        return self._finding(self._filters, ("" if column is None else self._known(column), descending))

    def matches(self, text: str, column: str | None = None) -> npt.NDArray[np.bool_]:
        """Return which rows of the whole frame fit one filter."""
        return self._hits("" if column is None else self._known(column), text, _ALL)

    def rows(self, filters: Mapping[str, str], sort: str = "", *, descending: bool = False) -> npt.NDArray[np.intp]:
        """Return the positions of the rows that pass filters by column, "" for any column, in an order."""
        return np.arange(len(self._data))[self._found(filters, sort, descending)]

    def choose(self, columns: Sequence[str] | None) -> None:
        """Show only these columns, in the order of the frame; None shows all, those without values too."""
        names = self._columns if columns is None else arguments.names(columns, "columns", "a list of column names")
        wanted = set(map(self._known, names))
        self._chosen = self._visible = tuple(label for label in self._columns if label in wanted)
        self.changed()

    def preset(self, name: str) -> list[str]:
        """Return the columns of one of `PRESETS`."""
        kind = PRESETS[name]
        if name == "With values" and (found := [one for one, column in self._columns.items() if has_values(column)]):
            return found
        return [label for label, column in self._columns.items() if not kind or kind_of(column) == kind]

    def go(self, page: int) -> None:
        """Go to a page, counted from 1; beyond the last, to the last."""
        self._page = min(max(arguments.integer(page, "page", "a number"), 1), self.pages)
        self.changed()

    def resize(self, page_size: int) -> None:
        """Show that many rows per page, from the first page on."""
        self._page_size = max(arguments.integer(page_size, "page_size", "a number of rows"), 1)
        self.go(1)

    @property
    def page(self) -> int:
        """The page on view, counted from 1."""
        return self._page

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(-(-self._count // self._page_size), 1)

    @property
    def filters(self) -> dict[str, str]:
        """The filters by the label of their column; "" is any column."""
        return dict(self._filters)

    def chips(self) -> list[str]:
        """Return the filters in words."""
        return [f"{label or 'any column'}: {text}" for label, text in self._filters.items()]

    def facts(self, columns: Iterable[str] | None = None) -> dict[str, Facts]:
        """Return what is known of each column, or of these; reads the whole frame."""
        return {label: facts(self._columns[label]) for label in (self._columns if columns is None else columns)}

    def save(self, path: str | Path) -> Path:
        """
        Save what is shown, all pages of it, as CSV, Parquet or Excel by the ending of *path*; a file there is replaced.

        Raises:
            UsageError: The ending is another, there is no such folder, or Excel cannot hold it.
            IncompletePull: The file could not be written; an existing file is unchanged.
        """
        return write_columns(self.selected(), path, self.about)

    @property
    def columns(self) -> list[str]:
        """The labels of all columns; those of the index come first, unless it does nothing but count the rows."""
        return list(self._columns)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The labels of the columns of `frame`."""
        return self._chosen

    @property
    def visible(self) -> tuple[str, ...]:
        """The labels of the columns on view: `chosen`, until columns are chosen without those that are all null."""
        return self._visible

    def _known(self, column: Any) -> str:
        label = str(column)
        if label not in self._columns:
            what = f"The table has no column {arguments.shown(column)}."
            raise UsageError(what, remedy=suggestion(label, self._columns))
        return label

    def _finding(self, filters: Mapping[str, str], order_by: tuple[str, bool] | None = None) -> _Show:
        """Find the rows of these filters, in this order or that of now, and return what shows them."""
        data, sorting = self._data, order_by or (self._sort, self._descending)
        rows = self._found(filters, *sorting)
        # Meanwhile another frame may be shown.
        return lambda: self._show_rows(filters, *sorting, rows) if data is self._data else None

    def _found(self, filters: Mapping[str, str], sort: str, descending: bool) -> _Rows:
        """Return the rows that pass all filters, in order."""
        rows = _ALL
        for label, text in filters.items():
            hit = np.flatnonzero(self._hits(label, text, rows))  # each filter looks at what the others left
            rows = hit if isinstance(rows, slice) else rows[hit]
        if sort:
            check_cancelled()
            ordered = order(self._columns[sort].iloc[rows], descending=descending)
            rows = ordered if isinstance(rows, slice) else rows[ordered]
        return rows

    def _show_rows(self, filters: Mapping[str, str], sort: str, descending: bool, rows: _Rows) -> None:
        self._filters, self._sort, self._descending = dict(filters), sort, descending
        self._rows, self._count, self._page = rows, len(self._data.index[rows]), 1
        self.changed()

    def _hits(self, label: str, text: str, rows: _Rows) -> npt.NDArray[np.bool_]:
        check_cancelled()
        if label:
            column = self._columns[label].iloc[rows]
            typed = condition(column, text, label)
            return holds(column, text) if typed is None else typed.mask(column)
        if looks_typed(text):
            what = f"“{text}” is a condition on numbers or dates, but no column is chosen."
            raise UsageError(what, remedy="Choose a column for it.")
        found = [holds(column.iloc[rows], text) for column in self._columns.values()]
        return np.logical_or.reduce(found) if found else np.zeros(len(self._data.index[rows]), dtype=bool)

    def _positions(self) -> list[int]:
        """Return the positions of the chosen columns in the frame."""
        return [at for at, label in enumerate(self._labels) if label in self._chosen]

    @property
    def _labels(self) -> list[str]:
        """Those of the columns of the frame: the levels of the index come first."""
        return self.columns[len(self._columns) - self._data.shape[1] :]

    def is_plain(self, label: str) -> bool:
        """Return whether df[label] is this column: it is no level of the index, and no other has this name."""
        return bool((self._data.columns == label).sum() == 1 and label in self._labels)

    def rows_code(self) -> str:
        """Return the expression of `frame` before columns are chosen."""
        if self._sort and (not self.is_plain(self._sort) or unordered(self._columns[self._sort])):
            way = ", descending=True" if self._descending else ""
            return f"df.iloc[vk.table(df).rows({self._filters!r}, {literal(self._sort)}{way})]"
        masks = " & ".join(self._mask_code(label, text) for label, text in self._filters.items())
        way = ", ascending=False" if self._descending else ""
        ordered = f'.sort_values({literal(self._sort)}{way}, kind="stable")' if self._sort else ""
        return f"df{f'[{masks}]' if masks else ''}{ordered}"

    def _mask_code(self, label: str, text: str) -> str:
        typed = condition(self._columns[label], text, label) if self.is_plain(label) else None
        if typed is None:
            return f"vk.table(df).matches({', '.join(map(literal, (text, label) if label else (text,)))})"
        return typed.code(f"df[{literal(label)}]")

    def column(self, label: str, *, shown: bool = False) -> pd.Series[Any]:
        """Return one column; if *shown*, the rows of `frame` of it."""
        return self._columns[self._known(label)].iloc[self._rows if shown else _ALL]

    def selected(self) -> Columns:
        """Return `frame` as columns by their labels, those of the index among them."""
        return {label: self._columns[label].iloc[self._rows] for label in self._chosen}

    def on_page(self) -> Columns:
        """Return the visible columns for the rows of the page."""
        page = slice(self._first, self._first + self._page_size)
        rows = page if isinstance(self._rows, slice) else self._rows[page]
        return {label: self._columns[label].iloc[rows] for label in self._visible}

    def row(self, number: int) -> tuple[int, Columns]:
        """Return the position in the frame of a row of the page, 0 for the first, and all its values."""
        at = self._first + number
        position = at if isinstance(self._rows, slice) else int(self._rows[at])
        return position, {label: column.iloc[[position]] for label, column in self._columns.items()}

    @property
    def _first(self) -> int:
        return (self._page - 1) * self._page_size

    @property
    def about(self) -> Mapping[str, Any]:
        """What `attrs["vendorkit"]` says of the frame; empty if it is not from a vendor."""
        found = self._attrs.get("vendorkit")
        return found if isinstance(found, Mapping) else {}

    def summary(self) -> str:
        """Return in words which rows are on the page, and which are left out and why."""
        last = min(self._first + self._page_size, self._count)
        said = f"rows {self._first + 1:,} to {last:,} of {self._count:,}" if self._count else "no rows"
        if self._filters:
            said += f" (filtered from {len(self._data):,})"
        if len(self._chosen) < len(self._columns):
            said += f"; {len(self._chosen):,} of {len(self._columns):,} columns"
        elif len(self._visible) < len(self._columns):
            said += f"; {counted(len(self._columns) - len(self._visible), 'empty column')} hidden"
        if is_mock(self.about):
            said += "; mock data"
        said += "".join(f"; {chip}" for chip in self.chips())
        return f"{said}; sorted by {self._sort}, {'de' if self._descending else 'a'}scending" if self._sort else said
