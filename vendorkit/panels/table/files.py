"""Columns as the bytes of a CSV, Parquet or Excel file; texts that a spreadsheet would run as formulas are disarmed."""

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
from vendorkit.errors import SettingsError, UsageError
from vendorkit.panels.table.columns import Columns, arrow, texts, without_midnight
from vendorkit.saved.files import write_atomically

About = Mapping[str, Any]  # attrs["vendorkit"]
_NOTHING: Final[About] = MappingProxyType({})
# Begins the names of files that are offered; programs read CSV, so that there is no line in it.
MOCK: Final = "mock-data"

# What spreadsheets take for a formula (OWASP, "CSV Injection", 2026-11), full-width forms too; a plain number is none.
_FORMULA: Final = r"^\s*[=+\-@＝＋－＠]|^[\t\r\n]"  # noqa: RUF001 - the full-width forms are meant
_NUMBER: Final = r"^[+-]?[0-9]+([.,][0-9]+)?$"
# Excel's own limits (support.microsoft.com, "Excel specifications and limits").
_EXCEL_ROWS: Final = 1_048_576
_EXCEL_COLUMNS: Final = 16_384
_EXCEL_TEXT: Final = 32_767
_EXCEL_DIGITS: Final = 15  # of a number
_EXCEL_FIRST_YEAR: Final = 1900


def is_mock(about: About) -> bool:
    """Tell whether a frame, by its `attrs["vendorkit"]`, is of a mock server."""
    return about.get("environment") == "local"


def csv_bytes(columns: Columns, _: About = _NOTHING) -> bytes:
    """
    Return the columns as CSV in UTF-8, with the byte order mark without which Excel misreads accents.

    Texts are quoted, nulls are empty, lists and structs are JSON. A text that looks like a formula gets a leading
    apostrophe, column names too.
    """
    return b"\xef\xbb\xbf" + _delimited(columns, ",")


def tab_text(columns: Columns) -> str:
    """Return the columns as tab-separated text, to be pasted into a spreadsheet; disarmed as in CSV."""
    return _delimited(columns, "\t").decode()


def parquet_bytes(columns: Columns, about: About = _NOTHING) -> bytes:
    """
    Return the columns as Parquet, lists and structs as they are; those without one Arrow type are texts.

    `pandas.read_parquet` finds *about* in `attrs["vendorkit"]` again.
    """
    sink, table = io.BytesIO(), pa.table({name: arrow(column) for name, column in columns.items()})
    with suppress(TypeError, ValueError):  # attrs may hold anything
        table = table.replace_schema_metadata({"PANDAS_ATTRS": json.dumps({"vendorkit": about})} if about else None)
    pq.write_table(table, sink)
    return sink.getvalue()


def excel_bytes(columns: Columns, about: About = _NOTHING) -> bytes:
    """
    Return the columns as an Excel workbook of one sheet; times are in UTC, lists and structs are JSON.

    Of a mock server, the sheet is called "mock-data".

    Raises:
        SettingsError: XlsxWriter is not installed.
        UsageError: It does not fit into a sheet of Excel.
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
        # Also when the cell is edited, Excel then takes it for a text.
        as_text = book.add_format({"quote_prefix": True})
        sheet, bold = book.add_worksheet(MOCK if is_mock(about) else None), book.add_format({"bold": True})
        date = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.freeze_panes(1, 0)
        for number, (name, column) in enumerate(columns.items()):
            sheet.write_string(0, number, name, bold)
            _write_column(sheet, number, _excel_values(name, column), as_text, date)
    return sink.getvalue()


WRITERS: Final = {"csv": csv_bytes, "parquet": parquet_bytes, "xlsx": excel_bytes}


def write_columns(columns: Columns, path: str | Path, about: About = _NOTHING) -> Path:
    """Save the columns in the format that the ending of *path* names, as `View.save`; return the path."""
    path = arguments.folder(path, "the path of a file")
    suffix, what = path.suffix.lower().removeprefix("."), ""
    if suffix not in WRITERS:
        what = f"{path.name} does not end in one of {', '.join(f'.{name}' for name in WRITERS)}."
    elif not path.parent.is_dir() or path.is_dir():
        what = f"{path} is a folder." if path.is_dir() else f"There is no folder {path.parent}."
    if what:
        raise UsageError(what, remedy="Give a file path in an existing folder; its extension selects the format.")
    write_atomically(path, WRITERS[suffix](columns, about))
    return path


def _delimited(columns: Columns, delimiter: str) -> bytes:
    names = _disarmed(pa.chunked_array([pa.array(list(columns), pa.large_string())])).to_pylist()
    arrays = [_flat(column) for column in columns.values()]
    if len(arrays) == 1 and arrays[0].null_count:  # an empty line would be no row
        arrays = [pc.fill_null(pc.cast(arrays[0], pa.large_string()), "")]
    sink = io.BytesIO()
    # Quoting also keeps "a;=b" one cell where a spreadsheet takes the semicolon for a separator.
    pa_csv.write_csv(pa.table(arrays, names=names), sink, pa_csv.WriteOptions(delimiter=delimiter))
    return sink.getvalue()


def _flat(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return numbers and booleans as they are, all else as disarmed texts."""
    array = arrow(column)
    plain = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)
    return array if plain else _disarmed(texts(column))


def _disarmed(shown: pa.ChunkedArray) -> pa.ChunkedArray:
    mark, nothing = pa.scalar("'", pa.large_string()), pa.scalar("", pa.large_string())
    return pc.if_else(_looks_like_formula(shown), pc.binary_join_element_wise(mark, shown, nothing), shown)


def _looks_like_formula(shown: pa.ChunkedArray) -> pa.ChunkedArray:
    formula, number = pc.match_substring_regex(shown, _FORMULA), pc.match_substring_regex(shown, _NUMBER)
    return pc.and_not(formula, number)


def _excel_values(name: str, column: pd.Series[Any]) -> list[Any]:
    """Return booleans, numbers and times as far as Excel knows them, all else as texts."""
    array = without_midnight(arrow(column))
    kind = array.type
    known: Callable[[Any], bool] | None = None  # whether Excel has a number for a value
    if pa.types.is_timestamp(kind):
        array = pc.cast(pc.cast(array, pa.timestamp("us", kind.tz), safe=False), pa.timestamp("us"))  # in UTC
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        known = math.isfinite
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        known = lambda value: len(str(abs(value)).replace(".", "").strip("0")) <= _EXCEL_DIGITS  # noqa: E731
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        known = lambda value: value.year >= _EXCEL_FIRST_YEAR  # noqa: E731
    if known is not None:
        return [value if value is None or known(value) else str(value) for value in array.to_pylist()]
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
        if isinstance(value, str):
            sheet.write_string(row, number, value, as_text if formula else None)
        else:
            sheet.write(row, number, value, date if type(value) is dt.date else None)
