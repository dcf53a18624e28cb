"""The dtypes of every frame: pandas' own, the same for any number of rows and for every verb, and nothing is lost."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vendorkit as vk
from vendorkit.errors import UsageError
from vendorkit.frames import (
    UNDECLARED,
    Column,
    Drift,
    Kind,
    ListOf,
    Schema,
    Struct,
    flattened,
    gathered,
    json_page,
    to_frame,
)

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")

IS_PANDAS_3 = int(pd.__version__.split(".", 1)[0]) >= 3
TEXT = pd.StringDtype("pyarrow", na_value=np.nan) if IS_PANDAS_3 else pd.StringDtype("pyarrow")
TIME = pd.DatetimeTZDtype("us", "UTC")
LIST = pd.ArrowDtype(
    pa.list_(pa.struct([("id", pa.string()), ("size", pa.int64()), ("at", pa.timestamp("us", "UTC"))]))
)
PARTS = ListOf((Column("id", Kind.ID), Column("size", Kind.INTEGER), Column("at", Kind.DATETIME)))
KINDS = {
    "text": (Kind.TEXT, TEXT),
    "code": (Kind.CODE, TEXT),
    "id": (Kind.ID, TEXT),
    "integer": (Kind.INTEGER, pd.Int64Dtype()),
    "number": (Kind.NUMBER, np.dtype("float64")),
    "boolean": (Kind.BOOLEAN, pd.BooleanDtype()),
    "epoch": (Kind.EPOCH, TIME),
    "moment": (Kind.DATETIME, TIME),
    "day": (Kind.DATE, np.dtype("datetime64[us]")),
    "duration": (Kind.DURATION, TEXT),
    "document": (Kind.DOCUMENT, TEXT),
    "parts": (PARTS, LIST),
}
SCHEMA = Schema("things", tuple(Column(name, kind) for name, (kind, _) in KINDS.items()))
RECORD = {
    "text": "Zürich",
    "code": "007",
    "id": 9_007_199_254_740_993,
    "integer": 9_007_199_254_740_993,
    "number": 0.1,
    "boolean": True,
    "epoch": 1_535_726_805,
    "moment": "2026-01-31T23:59:59.123456+02:00",
    "day": "2026-01-31",
    "duration": "02:13:21.000",
    "document": {"a": [1]},
    "parts": [{"id": 1, "size": 2**53 + 1, "at": "2026-01-31"}],
}


def table_of(*records):
    """The table of some records."""
    return json_page(json.dumps({"results": records}).encode(), "results").table(SCHEMA).table


@pytest.mark.parametrize("records", [[], [RECORD], [{}], [{}, RECORD, {}]], ids=["none", "one", "nulls", "mixed"])
def test_each_kind_has_its_dtype_whatever_the_rows(records):
    """Also without rows, and where all are null."""
    frame = to_frame(table_of(*records))
    assert dict(zip(frame, frame.dtypes, strict=True)) == {name: dtype for name, (_, dtype) in KINDS.items()}
    assert len(frame) == len(records)
    assert isinstance(frame.index, pd.RangeIndex)


def test_texts_are_what_pandas_itself_makes_of_them():
    """On pandas 3 the dtype is equal to that of a list of texts, so that frames merge without a conversion."""
    frame = to_frame(table_of(RECORD))
    assert str(frame["text"].dtype) == ("str" if IS_PANDAS_3 else "string")
    if IS_PANDAS_3:
        assert frame["text"].dtype == pd.Series(["a"]).dtype


def test_values_keep_all_that_the_vendor_sent():
    """Integers past 2**53, zeros of codes, microseconds and days, next to nulls."""
    row = to_frame(table_of({}, RECORD)).iloc[1]
    assert (row["integer"], row["id"], row["code"]) == (2**53 + 1, "9007199254740993", "007")
    assert row["moment"] == datetime(2026, 1, 31, 21, 59, 59, 123456, timezone.utc)
    assert row["day"].date() == date(2026, 1, 31)
    assert row["day"].tzinfo is None
    assert row["number"] == 0.1


@pytest.mark.parametrize(("day", "year"), [("0001-01-01", 1), ("9999-12-31", 9999)])
def test_days_and_moments_of_all_years_stay_in_range(day, year):
    """Vendors write far years for `for ever`; nanoseconds would end in 2262."""
    frame = to_frame(table_of({"day": day, "moment": f"{day}T00:00:00Z"}))
    assert frame["day"].dt.year.tolist() == [year]
    assert frame["moment"].dt.year.tolist() == [year]


@pytest.mark.parametrize("others", [{}, {"integer": "x"}], ids=["fast", "slow"])
@pytest.mark.parametrize(
    "moment", ["0000-01-01", "0000-12-31T00:00:00Z", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"]
)
def test_a_moment_outside_of_all_years_does_not_fit(moment, others):
    """No frame with it could be printed or exported; .NET writes its first moment with an offset for no time."""
    table = table_of({"moment": moment, "day": moment[:10], "parts": [{"at": moment}]}, RECORD, {**RECORD, **others})
    assert table["moment__raw"].to_pylist() == [f'"{moment}"', None, None]
    assert table["parts__raw"].to_pylist() == [f'[{{"at":"{moment}"}}]', None, None]
    assert ("day__raw" in table.column_names) == moment.startswith("0000")
    frame = to_frame(table, "json")
    assert frame["moment"].notna().tolist() == [False, True, True]
    assert moment in frame.to_csv()
    assert "2026-01-31" in repr(frame["moment"])


def test_nulls_are_nulls_in_every_dtype():
    """`isna` is all that an analyst needs."""
    assert to_frame(table_of({})).isna().all(axis=None)
    assert to_frame(table_of({}), "json").isna().all(axis=None)


def test_a_frame_can_be_written_to():
    """No column is a view of Arrow's memory that pandas may not change."""
    frame = to_frame(table_of(RECORD, RECORD))
    for name, value in {
        "integer": 1,
        "number": 0.5,
        "boolean": False,
        "text": "x",
        "day": pd.Timestamp("2020-01-01"),
    }.items():
        frame.loc[0, name] = value
        assert frame.loc[0, name] == value
        assert frame.loc[1, name] == to_frame(table_of(RECORD))[name].iloc[0]


def test_lists_become_json_texts_with_all_their_digits():
    """Nulls stay null, an empty list is `[]`; the same text for equal values."""
    table = flattened(table_of(RECORD, {}, {"parts": []}), "json")
    assert table["parts"].to_pylist() == [
        '[{"id":"1","size":9007199254740993,"at":"2026-01-31T00:00:00Z"}]',
        None,
        "[]",
    ]
    assert table.schema.field("parts").type == pa.string()
    assert to_frame(table_of(), "json")["parts"].dtype == TEXT


def test_lists_can_be_left_out():
    """All other columns stay in their order."""
    assert list(to_frame(table_of(RECORD), "drop")) == [name for name in KINDS if name != "parts"]


def test_everything_beyond_the_declared_columns_goes_into_one():
    """By the vendor's name, as JSON; a value that does not fit by its column."""
    schema = Schema(
        "things", (Column("n", Kind.INTEGER), Column("meta", Struct((Column("at", Kind.EPOCH),)))), style="camel"
    )
    records = [{"n": 1}, {"n": "x", "newOne": {"a": 1}}, {"meta": {"author": 'A"'}}, {"new.one": None}]
    batch = json_page(json.dumps({"results": records}).encode(), "results").table(schema)
    table = gathered(batch.table, schema, batch.drift)
    assert table.column_names == ["n", "meta_at", UNDECLARED]
    texts = [None if text is None else json.loads(text) for text in table[UNDECLARED].to_pylist()]
    assert texts == [None, {"n__raw": "x", "newOne": {"a": 1}}, {"meta.author": 'A"'}, {"new.one": None}]
    assert gathered(schema.empty(), schema, Drift()).schema == table.schema


def kinds(frame: pd.DataFrame) -> set[str]:
    """The dtypes of a frame by name, lists as one."""
    return {"list" if isinstance(dtype, pd.ArrowDtype) else str(dtype) for dtype in frame.dtypes}


def test_all_verbs_give_the_same_dtypes(medipim, mediagenix, pledg, tmp_path):
    """frame, tables, saved datasets, notifications, plans, the browser."""
    allowed = {
        "str" if IS_PANDAS_3 else "string",
        "Int64",
        "float64",
        "boolean",
        "datetime64[us, UTC]",
        "datetime64[us]",
    }
    query = medipim.products.query(brand=9)
    assert kinds(query.frame()) == allowed - {"datetime64[us]"} | {"list"}
    query.save(tmp_path / "saved")
    pd.testing.assert_series_equal(vk.load(tmp_path / "saved").dtypes, query.frame().dtypes)
    browser = vk.browse(medipim, query)
    assert browser.frame is not None
    frames = [
        *query.tables().values(),
        *mediagenix.titles.query(expand=["metadata"]).tables(limit=20).values(),
        pledg.payment_schedule.query(amount_cents=20_000, created="2026-01-31").frame(),
        pledg.merchant_conditions.query().frame(),
        pledg.notifications.frame([]),
        pledg.notifications.frame(
            pledg.get("/api/local/notifications", params={"count": 5}, auth=None).json()["notifications"]
        ),
        browser.frame.drop(
            columns=[name for name in browser.frame if isinstance(browser.frame[name].dtype, pd.ArrowDtype)]
        ),
    ]
    assert set.union(*map(kinds, frames)) <= allowed


def test_batches_hold_lists_as_asked(medipim):
    """As Arrow, where dates are `date32`."""
    query = medipim.products.query(brand=9)
    (kept,), (texts,), (left_out,) = (list(query.batches(nested=nested)) for nested in ("list", "json", "drop"))
    assert pa.types.is_list(kept.schema.field("brands").type)
    assert texts.schema.field("brands").type == pa.string()
    assert "brands" not in left_out.schema.names
    assert json.loads(texts["brands"][0].as_py())[0]["id"] == kept["brands"][0].as_py()[0]["id"]


@pytest.mark.parametrize("nested", ["lists", "", None, 1, ["json"]])
@pytest.mark.parametrize("verb", ["frame", "batches", "dask"])
def test_another_way_to_hold_lists_is_refused(medipim, vendors, verb, nested):
    """Before anything is sent."""
    with pytest.raises(UsageError, match="nested"):
        list(getattr(medipim.brands.query(), verb)(nested=nested))
    assert vendors["medipim"].requests == 0


def test_columns_of_a_resource_name_the_dtypes_of_its_frames(medipim):
    """`client.products.columns` says what `frame().dtypes` is."""
    described = medipim.brands.columns.set_index("column")["dtype"]
    assert described.to_dict() == medipim.brands.query().frame().dtypes.astype(str).to_dict()
