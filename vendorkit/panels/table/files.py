"""Export of columns as CSV, Parquet or Excel; text that a spreadsheet would run as a formula is escaped."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from vendorkit import arguments
from vendorkit.deadline import check_cancelled
from vendorkit.errors import SettingsError, UsageError
from vendorkit.panels.table.columns import Columns, arrow, texts, without_midnight
from vendorkit.saved.files import write_atomically

About = Mapping[str, Any]  # attrs["vendorkit"]
_NOTHING: Final[About] = MappingProxyType({})
# Prefix of the names of downloaded mock data. A comment line inside CSV would break programs that read it.
MOCK: Final = "mock-data"

# Spreadsheets run text that starts like this as a formula (OWASP, "CSV Injection", 2026-11). Numbers are exempt.
_FORMULA: Final = r"^\s*[=+\-@＝＋－＠]|^[\t\r\n]"  # noqa: RUF001 - the full-width forms are meant
_NUMBER: Final = r"^[+-]?[0-9]+([.,][0-9]+)?$"
# Limits of Excel (support.microsoft.com, "Excel specifications and limits").
_EXCEL_ROWS: Final = 1_048_576
_EXCEL_COLUMNS: Final = 16_384
_EXCEL_TEXT: Final = 32_767
_EXCEL_DIGITS: Final = 15  # significant digits per number
_EXCEL_FIRST_YEAR: Final = 1900


def is_mock(about: About) -> bool:
    """Return whether a frame with this `attrs["vendorkit"]` comes from a mock server."""
    return about.get("environment") == "local"


def csv_bytes(columns: Columns, _: About = _NOTHING) -> bytes:
    """
    Return the columns as CSV in UTF-8, with a byte order mark, which Excel needs to read accents correctly.

    Text is quoted, nulls are empty, lists and structs are JSON. Text and column names that look like a formula get a
    leading apostrophe.
    """
    return b"\xef\xbb\xbf" + _delimited(columns, ",")


def tab_text(columns: Columns) -> str:
    """Return the columns as tab-separated text for pasting into a spreadsheet; formulas are escaped as in CSV."""
    return _delimited(columns, "\t").decode()


def parquet_bytes(columns: Columns, about: About = _NOTHING) -> bytes:
    """
    Return the columns as Parquet with lists and structs; columns that no single Arrow type fits become text.

    `pandas.read_parquet` restores *about* as `attrs["vendorkit"]`.
    """
    sink, table = io.BytesIO(), pa.table({name: _arrow(column) for name, column in columns.items()})
    with suppress(TypeError, ValueError):  # attrs may hold anything
        table = table.replace_schema_metadata({"PANDAS_ATTRS": json.dumps({"vendorkit": about})} if about else None)
    pq.write_table(table, sink)
    return sink.getvalue()


def excel_bytes(columns: Columns, about: About = _NOTHING) -> bytes:
    """
    Return the columns as an Excel workbook with one sheet; times are in UTC, lists and structs are JSON.

    The sheet is named "mock-data" if the data comes from a mock server.

    Raises:
        SettingsError: XlsxWriter is not installed.
        UsageError: The columns do not fit into an Excel sheet.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra
    except ImportError as exc:
        what = "Excel files need XlsxWriter, which is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[notebook]'") from exc
    rows = max(map(len, columns.values()), default=0)
    if rows >= _EXCEL_ROWS or len(columns) > _EXCEL_COLUMNS:
        what = f"A table of {rows:,} by {len(columns):,} cells does not fit into an Excel sheet."
        raise UsageError(what, remedy="Filter the rows or choose fewer columns, or save as Parquet or CSV.")
    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        # The prefix makes Excel treat the cell as text even after it is edited.
        as_text = book.add_format({"quote_prefix": True})
        sheet, bold = book.add_worksheet(MOCK if is_mock(about) else None), book.add_format({"bold": True})
        date = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.freeze_panes(1, 0)
        for number, (name, column) in enumerate(columns.items()):
            sheet.write_string(0, number, name, bold)
            _write_column(sheet, number, _excel_values(name, column), as_text, date)
    return sink.getvalue()


WRITERS: Final = {"csv": csv_bytes, "parquet": parquet_bytes, "xlsx": excel_bytes}


def file_path(path: str | Path) -> Path:
    """Return *path*; `UsageError` if its folder does not exist, or if its extension is not one of `WRITERS`."""
    path = arguments.folder(path, "the path of a file")
    suffix, what = path.suffix.lower().removeprefix("."), ""
    if suffix not in WRITERS:
        what = f"{path.name} does not end in one of {', '.join(f'.{name}' for name in WRITERS)}."
    elif not path.parent.is_dir() or path.is_dir():
        what = f"{path} is a folder." if path.is_dir() else f"There is no folder {path.parent}."
    if what:
        raise UsageError(what, remedy="Give a file path in an existing folder; its extension selects the format.")
    return path


def write_columns(columns: Columns, path: str | Path, about: About = _NOTHING) -> Path:
    """Save the columns in the format given by the extension of *path*, as `View.save` does; return the path."""
    path = file_path(path)
    write_atomically(path, WRITERS[path.suffix.lower()[1:]](columns, about))
    return path


def _arrow(column: pd.Series[Any]) -> pa.ChunkedArray:
    check_cancelled()  # a long column takes seconds
    return arrow(column)


def _delimited(columns: Columns, delimiter: str) -> bytes:
    names = _escaped(pa.chunked_array([pa.array(list(columns), pa.large_string())])).to_pylist()
    arrays = [_flat(column) for column in columns.values()]
    if len(arrays) == 1 and arrays[0].null_count:  # CSV readers skip empty lines
        arrays = [pc.fill_null(pc.cast(arrays[0], pa.large_string()), "")]
    sink = io.BytesIO()
    # Quotes keep "a;=b" in one cell even if a spreadsheet splits at semicolons.
    pa_csv.write_csv(pa.table(arrays, names=names), sink, pa_csv.WriteOptions(delimiter=delimiter))
    return sink.getvalue()


def _flat(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return numbers and booleans unchanged, and other values as escaped text."""
    array = _arrow(column)
    plain = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)
    return array if plain else _escaped(texts(column))


def _escaped(shown: pa.ChunkedArray) -> pa.ChunkedArray:
    apostrophe, separator = pa.scalar("'", pa.large_string()), pa.scalar("", pa.large_string())
    return pc.if_else(_looks_like_formula(shown), pc.binary_join_element_wise(apostrophe, shown, separator), shown)


def _looks_like_formula(shown: pa.ChunkedArray) -> pa.ChunkedArray:
    formula, number = pc.match_substring_regex(shown, _FORMULA), pc.match_substring_regex(shown, _NUMBER)
    return pc.and_not(formula, number)


def _excel_values(name: str, column: pd.Series[Any]) -> list[Any]:
    """Return booleans, numbers and times that Excel can represent; all other values as text."""
    array = without_midnight(arrow(column))
    kind = array.type
    fits: Callable[[Any], bool] | None = None  # whether Excel can represent a value exactly
    if pa.types.is_timestamp(kind):
        array = pc.cast(pc.cast(array, pa.timestamp("us", kind.tz), safe=False), pa.timestamp("us"))  # in UTC
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        fits = math.isfinite
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        fits = lambda value: len(str(abs(value)).replace(".", "").strip("0")) <= _EXCEL_DIGITS  # noqa: E731
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        fits = lambda value: value.year >= _EXCEL_FIRST_YEAR  # noqa: E731
    if fits is not None:
        return [value if value is None or fits(value) else str(value) for value in array.to_pylist()]
    shown = texts(column)
    longest = pc.max(pc.utf8_length(shown)).as_py() or 0
    if longest > _EXCEL_TEXT:
        what = f"A text of {longest:,} characters in {name} exceeds the {_EXCEL_TEXT:,} characters of an Excel cell."
        raise UsageError(what, remedy="Leave the column out, or save as Parquet or CSV.")
    return list(shown.to_pylist())


def _write_column(sheet: Any, number: int, values: list[Any], as_text: Any, date: Any) -> None:
    strings = pa.array([value if isinstance(value, str) else None for value in values], pa.large_string())
    formulas = _looks_like_formula(strings).to_pylist()
    for row, (value, formula) in enumerate(zip(values, formulas, strict=True), start=1):
        check_cancelled()
        # `write` would guess what a text is: for XlsxWriter 3.2.0, "{=1+1}" is a formula whatever the options are.
        write = sheet.write_string if isinstance(value, str) else sheet.write
        write(row, number, value, as_text if formula else date if type(value) is dt.date else None)
