"""Pledg's files: separators, encodings and amounts as people export them, and the comparison with notifications."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from vendorkit.errors import MalformedAnswer, UsageError
from vendorkit.vendors.pledg.exports import Exports

ROWS = [["ORDER-1", "1 234,56 €", "Payé"], ["ORDER-2", "20,00", "Remboursé; partiel"], ["0003", "", "Échoué"]]
EXPORTS = Exports()
NAMES = ["Référence", "Montant", "Statut"]  # made up: no document names the columns


def as_csv(separator, rows=ROWS, names=NAMES, end="\r\n"):
    """Lines with every field in quotes."""
    return end.join(separator.join(f'"{cell}"' for cell in row) for row in [names, *rows]) + end


@pytest.mark.parametrize(
    ("separator", "encoding", "end"),
    [(";", "utf-8", "\n"), (",", "utf-8-sig", "\r\n"), ("\t", "cp1252", "\n"), (";", "utf-16", "\r\n")],
)
def test_a_file_is_texts_under_its_own_names(tmp_path, separator, encoding, end):
    """Whatever wrote it: the same table, from a path and from bytes; codes keep their zeros."""
    content = as_csv(separator, end=end).encode(encoding)
    (tmp_path / "export.csv").write_bytes(content)
    for given in (content, tmp_path / "export.csv", str(tmp_path / "export.csv")):
        frame = EXPORTS.read(given)
        assert list(frame.columns) == NAMES
        assert frame.to_numpy().tolist() == ROWS
        assert set(map(str, frame.dtypes)) == {"string"}


def test_separators_in_quotes_and_blank_lines_are_no_columns():
    """The header decides, without what is in quotes; a trailing empty line is none."""
    frame = EXPORTS.read(b'"a,b,c";d\n1,5;2\n\n;\n"x\ny";3\n')
    assert frame.to_dict("list") == {"a,b,c": ["1,5", "x\ny"], "d": ["2", "3"]}
    assert EXPORTS.read(b"a;b\n").empty
    assert list(EXPORTS.read(b'"a\nb","c"\n1,2\n')) == ["a\nb", "c"]
    assert list(EXPORTS.read(b" \r\n \na,b\n1,2\n")) == ["a", "b"]
    assert EXPORTS.read(b"a,b\r1;x,5\r2,3;4;5\r").to_dict("list") == {"a": ["1;x", "2"], "b": ["5", "3;4;5"]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf\r\n", "it is empty"),
        (b"a;b; a\n1;2;3\n", "first line has two columns 'a'. Give each column another name"),
        (b"a;;b;\n1;2;3;4\n", "first line has a column without a name"),
        (b"\r\n<!doctype html><title>Log in</title>", "it is a web page"),
        (b"a;b\n1;2\n1;2;3\n", "line 3 has 3 fields instead of 2"),
        (b'a;b\n"1;2\n', "line 2"),
        (b"PK\x03\x04\x00\x00", "zero bytes"),
        ("a;b\n1;2\n".encode("utf-16-le"), "zero bytes"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(content, problem):
    """One typed error."""
    with pytest.raises(MalformedAnswer, match=problem):
        EXPORTS.read(content)


@pytest.mark.parametrize("given", ["missing.csv", ".", "a\0b", ""])
def test_a_file_that_is_not_there_is_a_usage_error(given):
    """So are folders and impossible names."""
    with pytest.raises(UsageError):
        EXPORTS.read(given)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        *(("12", 1200), ("0,5", 50), ("-3,50", -350), ("+7.25", 725), ("1234,56", 123456), ("1 234,56 €", 123456)),
        *(("1\u202f234,56", 123456), ("1.234,56", 123456), ("1,234.56", 123456), ("1.234.567,00", 123456700)),
        *(("1'234.50", 123450), ("1.234.567", 123456700), ("EUR 10", 1000), ("\u22125,00", -500), ("19,990", None)),
        *(("1.234", None), ("1,234", None), ("12,345,6", None), ("1,2,3", None), ("1.5.2,5", None), ("abc", None)),
        *(("1,001", None), ("1e3", None), ("--5", None), (",5", None), ("5,", 500), ("1.23,456", None)),
        *(("12345678901,00", 1234567890100), ("12345678901234567890", None), ("92233720368547758,08", None)),
    ],
)
def test_amounts_become_cents_or_are_refused(text, cents):
    """Never a float, never a guess: what could be thousands or decimals needs decimal=."""
    frame = pd.DataFrame({"Montant": [text]})
    if cents is None:
        with pytest.raises(UsageError, match="is not an amount"):
            EXPORTS.cents(frame, "Montant")
    else:
        assert EXPORTS.cents(frame, "Montant").tolist() == [cents]


def test_decimal_settles_what_is_ambiguous():
    """1.234 is a thousand euros with a decimal comma; parts of a cent stay refused."""
    frame = pd.DataFrame({"Montant": ["1.234", "1.234,5", None, ""]})
    found = EXPORTS.cents(frame, "Montant", decimal=",")
    assert found.dtype == "Int64"
    assert found.isna().tolist() == [False, False, True, True]
    assert found.tolist()[:2] == [123400, 123450]
    with pytest.raises(UsageError):
        EXPORTS.cents(frame, "Montant", decimal=".")
    with pytest.raises(UsageError, match="The columns are: Montant"):
        EXPORTS.cents(frame, "Amount")


def test_an_export_is_compared_with_the_notifications(pledg):
    """Genuine ones once; what is missing on either side, and what differs, is named."""
    answer = pledg.get("/api/local/notifications", params={"count": 60}, auth=None).json()
    log = pledg.notifications.frame(answer["notifications"])
    genuine = log[log["verified"] & ~log["repeated"] & log["amount_cents"].notna()]
    amounts = genuine.groupby("reference")["amount_cents"].sum()
    rows = [[ref, f"{cents // 100},{cents % 100:02}", "ok"] for ref, cents in amounts.items()]
    rows[0][1] = "0,01"
    export = EXPORTS.read(as_csv(";", [*rows[:-1], ["UNKNOWN", "5,00", "ok"]]).encode("utf-8-sig"))
    found = EXPORTS.compare(export, log, reference="Référence", amount="Montant").set_index("reference")
    assert found["state"].value_counts().to_dict() == {
        "equal": len(rows) - 2, "different": 1, "only in the export": 1, "only in the notifications": 1,
    }  # fmt: skip
    assert found.loc[rows[0][0], "difference_cents"] == 1 - amounts.iloc[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_payments_without_a_reference_are_compared_too():
    """However they are missing; nothing is left out of the sums."""
    log = pd.DataFrame({"verified": True, "repeated": False, "amount_cents": [500, 100], "reference": [None, "A"]})
    for missing in (None, "", " ", pd.NA):
        export = pd.DataFrame({"ref": ["A", missing, missing], "m": ["1", "2", "3,50"]})
        found = EXPORTS.compare(export, log, reference="ref", amount="m").set_index("reference")
        assert found["export_cents"].to_dict() == {"": 550, "A": 100}
        assert found["notified_cents"].to_dict() == {"": 500, "A": 100}


@pytest.mark.parametrize("log", [None, [1], pd.DataFrame({"reference": ["A"]}), pd.Series([1])])
def test_what_is_no_table_of_notifications_is_a_usage_error(log):
    """Not a KeyError of pandas."""
    export = pd.DataFrame({"ref": ["A"], "m": ["1"]})
    with pytest.raises(UsageError, match="notifications must be the table"):
        EXPORTS.compare(export, log, reference="ref", amount="m")


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path):
    """It would be waited for without an end; its name is shown on one line."""
    os.mkfifo(tmp_path / "a\nb.csv")
    with pytest.raises(UsageError, match=r"a\\nb\.csv is a named pipe"):
        EXPORTS.read(tmp_path / "a\nb.csv")
