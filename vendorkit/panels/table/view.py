"""What is shown of a frame: which rows and columns, in which order, which page. Values and methods, no widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vendorkit import arguments
from vendorkit.ask import suggestion
from vendorkit.errors import UsageError
from vendorkit.panels.table.columns import Facts, facts, holds, labelled, order
from vendorkit.panels.table.files import WRITERS, is_mock
from vendorkit.saved.files import write_atomically


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
        """What is shown, all pages of it: the rows that pass the filters, sorted, and the chosen columns."""
        levels = len(self._columns) - self._data.shape[1]
        chosen = [number - levels for number, label in enumerate(self._columns) if label in self._chosen]
        columns = [number for number in chosen if number >= 0]
        return self._data.iloc[self._rows, columns]

    def show(self, frame: Any) -> None:
        """Show another DataFrame from its first row, without filters."""
        if not isinstance(frame, pd.DataFrame):
            what = f"A table shows a pandas DataFrame, not {arguments.shown(frame)}."
            raise UsageError(what, remedy="Make one of it, for example with .frame() or pandas.DataFrame(...).")
        # Shallow, and yet under pandas 3 later changes of the caller's frame do not reach it.
        self._data = frame.copy(deep=False)
        self._columns = labelled(self._data)
        self._chosen = tuple(self._columns)
        self._filters: dict[str, str] = {}
        self._sort, self._descending = "", False
        self._find()

    def filter(self, text: str, column: str | None = None) -> None:
        """
        Show only rows that contain *text*, without regard to case; an empty text removes the filter.

        Args:
            text: The text to find.
            column: The column to search; None for all. Filters on several columns are combined.
        """
        text = arguments.text(text, "text")
        label = "" if column is None else self._known(column)
        self._filters.pop(label, None)
        if text:
            self._filters[label] = text
        self._find()

    def clear(self) -> None:
        """Remove all filters."""
        self._filters.clear()
        self._find()

    def sort(self, column: str | None, *, descending: bool = False) -> None:
        """Sort by a column, nulls last; None goes back to the order of the frame."""
        self._sort, self._descending = "" if column is None else self._known(column), descending
        self._find()

    def choose(self, columns: Sequence[str] | None) -> None:
        """Show only these columns, in the order of the frame; None shows all."""
        names = self._columns if columns is None else arguments.names(columns, "columns", "a list of column names")
        wanted = set(map(self._known, names))
        self._chosen = tuple(label for label in self._columns if label in wanted)
        self.changed()

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

    def facts(self) -> dict[str, Facts]:
        """Return dtype, share of nulls and number of different values of each column; reads the whole frame."""
        return {label: facts(column) for label, column in self._columns.items()}

    def save(self, path: str | Path) -> Path:
        """
        Save what is shown, all pages of it, as CSV, Parquet or Excel by the ending of *path*; a file there is replaced.

        Raises:
            UsageError: The ending is another, there is no such folder, or Excel cannot hold it.
            IncompletePull: The file could not be written; an existing file is unchanged.
        """
        if not isinstance(path, (str, Path)):
            arguments.refuse("path", "the path of a file", path)
        path = Path(path)
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in WRITERS:
            what = f"{path.name} does not end in one of {', '.join(f'.{name}' for name in WRITERS)}."
            raise UsageError(what, remedy="The ending says in which format to save.")
        if not path.parent.is_dir() or path.is_dir():
            what = f"There is no folder {path.parent}." if not path.parent.is_dir() else f"{path} is a folder."
            raise UsageError(what, remedy="Create the folder first, or give another path.")
        write_atomically(path, WRITERS[suffix](self.selected(), self.about))
        return path

    @property
    def columns(self) -> list[str]:
        """The labels of all columns; those of the index come first, unless it does nothing but count the rows."""
        return list(self._columns)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The labels of the columns that are shown."""
        return self._chosen

    def _known(self, column: str) -> str:
        if column not in self._columns:
            what = f"The table has no column {column!r}."
            raise UsageError(what, remedy=suggestion(column, self._columns))
        return column

    def _find(self) -> None:
        """Find the rows that pass all filters, in order, and go to the first page."""
        rows: slice | npt.NDArray[np.intp] = slice(None)  # all of them, as they are
        for label, text in self._filters.items():
            among = self._columns.values() if label == "" else [self._columns[label]]
            # Each filter looks at what the others left.
            hit = np.flatnonzero(np.logical_or.reduce([holds(column.iloc[rows], text) for column in among]))
            rows = hit if isinstance(rows, slice) else rows[hit]
        if self._sort:
            ordered = order(self._columns[self._sort].iloc[rows], descending=self._descending)
            rows = ordered if isinstance(rows, slice) else rows[ordered]
        self._rows, self._count = rows, len(self._data.index[rows])
        self._page = 1
        self.changed()

    def selected(self) -> dict[str, pd.Series[Any]]:
        """Return `frame` as columns by their labels, those of the index among them."""
        return {label: self._columns[label].iloc[self._rows] for label in self._chosen}

    def on_page(self) -> dict[str, pd.Series[Any]]:
        """Return the same for the rows of the page only."""
        first, last = self._first_and_last()
        rows = slice(first, last) if isinstance(self._rows, slice) else self._rows[first:last]
        return {label: self._columns[label].iloc[rows] for label in self._chosen}

    @property
    def about(self) -> Mapping[str, Any]:
        """What `attrs["vendorkit"]` says of the frame; empty if it is not from a vendor."""
        found = self._data.attrs.get("vendorkit")
        return found if isinstance(found, Mapping) else {}

    def _first_and_last(self) -> tuple[int, int]:
        first = (self._page - 1) * self._page_size
        return first, min(first + self._page_size, self._count)

    def summary(self) -> str:
        """Return in words which rows are on the page, and which are left out and why."""
        first, last = self._first_and_last()
        text = f"rows {first + 1:,} to {last:,} of {self._count:,}" if self._count else "no rows"
        if self._filters:
            text += f" (of {len(self._data):,} in all)"
        if len(self._chosen) < len(self._columns):
            text += f"; {len(self._chosen):,} of {len(self._columns):,} columns"
        if is_mock(self.about):
            text += "; mock data"
        for label, wanted in self._filters.items():
            text += f"; {label or 'any column'} holds “{wanted}”"
        return text
