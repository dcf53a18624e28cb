"""
Pledg's files as tables: the CSV export of the dashboard's payments, and the daily settlement file.

The documents do not name the columns of these files, so all columns are strings with the file's own names, and the
caller says which column contains what. Separators, encodings and decimal commas are inferred.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from os import PathLike
from pathlib import Path
from typing import Final, NoReturn

import pandas as pd

from vendorkit import arguments
from vendorkit.errors import MalformedAnswer, SettingsError, UsageError
from vendorkit.files import read_bounded

LIMIT_BYTES: Final = 1 << 28
_SEPARATORS: Final = (";", "\t", ",")
_LONGEST: Final = 16  # characters of the whole euros; the cents then fit into 64 bits
_NEEDED: Final = {"verified", "repeated", "amount_cents", "reference"}  # columns of notifications
_BLANKS: Final = re.compile("[\\s\u00a0\u202f€]|EUR")


class Exports:
    """Reads Pledg's files and compares them with notifications; nothing is sent."""

    def read(self, file: str | PathLike[str] | bytes) -> pd.DataFrame:
        """
        Return a file with separators `;`, `,` or tab as a table of strings. Its first line names the columns.

        Args:
            file: The path of a file, or its content in bytes: UTF-8 with or without a byte order mark, UTF-16 with one,
                else Windows-1252.

        Raises:
            UsageError: There is no such file.
            MalformedAnswer: The file is empty or not a table, its first line lacks or repeats a name, or another line
                has more or fewer fields.
        """
        text = _decoded(file if isinstance(file, bytes) else _content(file))
        if "\0" in text:
            _refuse("it contains zero bytes, as workbooks do")
        if text[:100].lstrip().startswith("<"):
            _refuse("it is a web page, such as a login page")
        header = re.split("[\r\n]", re.sub(r'"[^"]*"', "", text.lstrip(" \r\n")), maxsplit=1)[0]
        separator = max(_SEPARATORS, key=header.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
        except csv.Error as exc:
            _refuse(f"line {reader.line_num}: {exc}")
        names = [name.strip() for name in rows[0][1]] if rows else _refuse("it is empty")
        repeated = [name for name, count in Counter(names).items() if count > 1 and name]
        if repeated or not all(names):
            problem = f"two columns {repeated[0][:40]!r}" if repeated else "a column without a name"
            _refuse(f"its first line has {problem}", "Give each column another name in the file.")
        for line, row in rows[1:]:
            if len(row) != len(names):
                _refuse(f"line {line} has {len(row)} fields instead of {len(names)}")
        return pd.DataFrame([row for _, row in rows[1:]], columns=names, dtype="string")

    def cents(self, frame: pd.DataFrame, column: str, *, decimal: str | None = None) -> pd.Series:
        """
        Return the amounts of a column in whole cents (Int64); empty cells are missing.

        Args:
            frame: A table of strings, such as that of `read`.
            column: The name of the column, in euros: "1 234,56 €", "1.234,56", "1234.56", "-5".
            decimal: The decimal point, "," or ".", if amounts such as "1.234" are ambiguous.

        Raises:
            UsageError: There is no such column, or a value is not an amount, is ambiguous or has fractions of a cent.
        """
        texts = _column(frame, column)
        if decimal is not None and not (isinstance(decimal, str) and decimal in {",", "."}):
            arguments.refuse("decimal", '"," or "."', decimal)
        cents = [_cents(str(text), decimal) if isinstance(text, str) and text.strip() else pd.NA for text in texts]
        return pd.Series(cents, index=frame.index, dtype="Int64", name=f"{column}_cents")

    def compare(
        self,
        export: pd.DataFrame,
        notifications: pd.DataFrame,
        *,
        reference: str,
        amount: str,
        decimal: str | None = None,
    ) -> pd.DataFrame:
        """
        Return one row per reference: its cents in the export and in the notifications, and whether they agree.

        Args:
            export: The table of a file; the amounts of lines with the same reference are added.
            notifications: The table of `pledg.notifications.frame`; only verified ones count, repeated ones once.
            reference: The name of the export's column of references.
            amount: The name of the export's column of amounts.
            decimal: As in `cents`.

        Returns:
            Columns reference ("" if it is missing), export_cents, notified_cents, difference_cents and state:
            "equal", "different", "only in the export", "only in the notifications".
        """
        cents = self.cents(export, amount, decimal=decimal)
        exported = cents.groupby(_column(export, reference).fillna("").str.strip()).sum(min_count=1)
        if not isinstance(notifications, pd.DataFrame) or not {*notifications.columns} >= _NEEDED:
            arguments.refuse("notifications", "the table of notifications.frame()", notifications)
        genuine = notifications[(notifications["verified"] == True) & (notifications["repeated"] == False)]  # noqa: E712
        genuine = genuine[genuine["amount_cents"].notna()]
        references = genuine["reference"].astype("string").fillna("")
        notified = genuine["amount_cents"].astype("Int64").groupby(references).sum()
        both = pd.DataFrame({"export_cents": exported.astype("Int64"), "notified_cents": notified.astype("Int64")})
        both["difference_cents"] = both["export_cents"] - both["notified_cents"]
        both["state"] = both["difference_cents"].eq(0).map({True: "equal", False: "different"}).astype("string")
        both.loc[both["notified_cents"].isna(), "state"] = "only in the export"
        both.loc[both["export_cents"].isna(), "state"] = "only in the notifications"
        return both.rename_axis("reference").reset_index()


def _content(file: str | PathLike[str]) -> bytes:
    wanted = "the path of a file, or its content in bytes"
    path = Path(arguments.text(os.fspath(file) if isinstance(file, PathLike) else file, "file", wanted))
    try:
        return read_bounded(path, limit_bytes=LIMIT_BYTES)
    except SettingsError as exc:
        what = exc.what[:400]  # the path in it may be a long text
    raise UsageError(what, remedy="Give the path of a file from the dashboard; export less if it is too large.")


def _decoded(content: bytes) -> str:
    utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _refuse(problem: str, remedy: str = "Export it again as CSV.") -> NoReturn:
    what = f"The file is not a CSV table: {problem}."
    raise MalformedAnswer(what, remedy=remedy) from None


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if not isinstance(frame, pd.DataFrame):
        arguments.refuse("the table", "a pandas DataFrame", frame)
    if (column := arguments.word(name, "column", "the name of a column")) not in frame.columns:
        what = f"There is no column {arguments.shown(column)}."
        raise UsageError(what, remedy=f"The columns are: {', '.join(map(str, frame.columns))[:400]}.")
    if isinstance(frame[column], pd.DataFrame):
        arguments.refuse("column", "the name of one column", column, "Rename the other columns of that name.")
    label, remedy = f"column {column!r}", "Read the file with exports.read(), which keeps all values as strings."
    for cell in frame[column]:
        if not arguments.missing(cell):
            arguments.text(cell, label, "a column of strings", remedy)
    return frame[column].astype("string")


def _cents(text: str, decimal: str | None) -> int:
    thousands = ".,'".replace(decimal or " ", "")
    whole = rf"[0-9]+|[0-9]{{1,3}}(?:([{thousands}])[0-9]{{3}})(?:\3[0-9]{{3}})*"
    amount = re.compile(rf"([+-]?)({whole})(?:([{decimal or '.,'}])([0-9]*))?")
    match = amount.fullmatch(_BLANKS.sub("", text).replace("\u2212", "-"))
    sign, euros, separator, point, fraction = match.groups("") if match else ("",) * 5
    # One separator before three digits may be either.
    is_ambiguous = not decimal and not separator and len(fraction) == 3
    if not match or is_ambiguous or point == separator != "" or len(fraction.rstrip("0")) > 2 or len(euros) > _LONGEST:
        what = f"{text[:40]!r} is not an amount in euros and cents."
        raise UsageError(what, remedy='Write it as 1234,56. If amounts are ambiguous, pass decimal="," or ".".')
    return int(f"{sign}{re.sub('[^0-9]', '', euros)}{fraction[:2].ljust(2, '0')}")
