"""What is typed into the filter, by the type of the column; and the pandas expression, which gives the same rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vendorkit as vk
from vendorkit.errors import UsageError
from vendorkit.panels.table.columns import kind_of
from vendorkit.panels.table.conditions import condition, mask_of
from vendorkit.panels.table.view import View

MOMENTS = [
    None if one is None else datetime.fromisoformat(one)
    for one in (
        *("2026-02-28T23:59:59.999999", "2026-03-01", "2026-03-31T23:59:59.999999", "2026-04-01T14:30:59"),
        *(None, "2025-12-31"),
    )
]
WHOLE = [5, 7, None, -1, 2**53 + 1, 1000]
FLOATS = [5.0, 7.3, None, -1.5, 1e6, 10.0]
FLAGS = [True, False, None, True, False, None]
WORDS = ["Soap", "olive oil", None, "Tea | herbs", "soap (dish)", "10..20"]
ZONED = [None if one is None else one.replace(tzinfo=timezone.utc) for one in MOMENTS]


def column(values, kind):
    """One column of the dtype that a vendor's frame has now or will have."""
    return (
        pd.Series(pa.array(values), dtype=pd.ArrowDtype(kind))
        if isinstance(kind, pa.DataType)
        else pd.Series(values, dtype=kind)
    )


def dtypes(values, *kinds):
    """The same values under several dtypes."""
    return [pytest.param(column(values, kind), id=str(kind)) for kind in kinds]


NUMBERS = {">1000": [4], ">=1000": [4, 5], "<5": [3], "<= 5": [0, 3], "5": [0], "=5": [0], "5 | 7": [0, 1]}
NUMBERS |= {"!=5": [1, 3, 4, 5], "!=5|7": [3, 4, 5], "5..1000": [0, 1, 5], "..5": [0, 3], "7..": [1, 4, 5]}
NUMBERS |= {"..99999999999999999999": [0, 1, 3, 4, 5], "99999999999999999999": []}
NUMBERS |= {"null": [2], "NOT null": [0, 1, 3, 4, 5], "9007199254740993": [4], "9007199254740992": [], "-1": [3]}
DATES = {"2026-03": [1, 2], "=2026-03": [1, 2], "!=2026-03": [0, 3, 5], "2026": [0, 1, 2, 3], ">2026-03": [3]}
DATES |= {">=2026-03": [1, 2, 3], "<2026-03": [0, 5], "<=2026-03": [0, 1, 2, 5], "2026-02..2026-03": [0, 1, 2]}
DATES |= {"2026-02-28": [0], "2025 | 2026-04-01": [3, 5], "..2025-12": [5], "2026-04..": [3], "null": [4]}
TIMES = DATES | {"2026-04-01 14": [3], "2026-04-01T14:30": [3], "2026-04-01 14:30:58": [], ">2026-04-01 14:30:58": [3]}
TEXTS = {"soap": [0, 4], "SOAP": [0, 4], "=soap": [0], "!=soap": [1, 3, 4, 5], "soap | oil": [0, 1, 4], "(": [4]}
TEXTS |= {"=soap | olive oil": [0, 1], "10..20": [5], "null": [2], "not null": [0, 1, 3, 4, 5], "=null": [], ">1": []}


def run(code, **names):
    """The value of an expression, which is what is tested."""
    return eval(code, {"pd": pd, "vk": vk, **names})  # noqa: S307


def check(values, wanted):
    """Each condition keeps these rows, and its code the same of a frame."""
    frame = pd.DataFrame({"a column": values})
    for text, rows in wanted.items():
        assert np.flatnonzero(mask_of(values, condition(values, text, "a column"))).tolist() == rows, text
        code = condition(values, text, "a column", "frame['a column']")
        assert run(f"frame[{code}]", frame=frame).index.tolist() == rows, text


@pytest.mark.parametrize("values", dtypes(WHOLE, "Int64", pa.int64(), "object"))
def test_whole_numbers(values):
    """Compared, spans with both ends, several values, null; digits past 2**53 are told apart."""
    check(values, NUMBERS)


@pytest.mark.parametrize(
    "values", dtypes([Decimal("1.50"), Decimal(2), None, Decimal(-1)], pa.decimal128(9, 2), "object")
)
def test_decimals(values):
    """Whole numbers among several values fit too."""
    check(values, {"1 | 2": [1], "!=1 | 2": [0, 3], "1.5": [0], ">1": [0, 1], "-1..1.5": [0, 3], "null": [2]})
    check(values / 5, {"0.3": [0], ">=0.3": [0, 1], "0.3..0.35": [0], "!=.4": [0, 3]})


@pytest.mark.parametrize("values", dtypes(FLOATS, "float64", "float32", "Float64", pa.float64(), "object"))
def test_numbers(values):
    """Decimals and exponents, and NaN is null."""
    wanted = {">=7.25": [1, 4, 5], "7.3 | 8": [1], "1e6": [4], "-1.5": [3], "!=5": [1, 3, 4, 5], "null": [2]}
    check(values, wanted | {"7..8": [1], ".5..5": [0]})


@pytest.mark.parametrize(
    "values",
    [
        *dtypes(ZONED, "datetime64[us, UTC]", pa.timestamp("us", "UTC")),
        *dtypes(MOMENTS, "datetime64[us]", "datetime64[ns]", pa.timestamp("us")),
    ],
)
def test_times(values):
    """A date is all of that day, a month all of it, in the zone of the column."""
    check(values, TIMES)


@pytest.mark.parametrize("values", dtypes([one and one.date() for one in MOMENTS], pa.date32(), pa.date64(), "object"))
def test_days(values):
    """Dates of Arrow and of Python have no time."""
    check(values, DATES)


LAST = [datetime.fromisoformat("9999-12-31T23:59:59.999999"), MOMENTS[1], None]
LAST_DAYS = [one and one.date() for one in LAST]


@pytest.mark.parametrize(
    "values",
    [
        *dtypes(LAST, "datetime64[us]", "datetime64[us, UTC]", "datetime64[us, Europe/Brussels]", pa.timestamp("us")),
        *dtypes(LAST_DAYS, pa.date32(), "object"),
    ],
)
def test_year_9999_of_dates_without_end_is_a_year(values):
    """As any other, although nothing comes after it."""
    check(values, {"9999": [0], "9999-12-31": [0], ">9999-12-31": [], "<=9999": [0, 1], "!=9999": [1], "2300..": [0]})


def test_time_of_day_is_after_the_midnight_of_a_date():
    """A date is its midnight."""
    wanted = {"2026-03-01 14": [], ">=2026-03-01 14:30": [0], "<=2026-03-01 14:30": [1], ">2026-02-28 14": [0, 1]}
    check(column(LAST_DAYS, pa.date32()), wanted)


def test_times_that_the_unit_of_arrow_cannot_reach_are_refused():
    """Arrow compares them wrongly: every time was after 2300."""
    values = column([MOMENTS[1], None], pa.timestamp("ns"))
    check(values, {">2025": [0]})
    with pytest.raises(UsageError, match="not a valid condition"):
        condition(values, ">2300", "day")


SPANS = [timedelta(days=2), timedelta(hours=1), None, timedelta(minutes=-3), timedelta(days=1, hours=12)]


@pytest.mark.parametrize("values", dtypes(SPANS, "timedelta64[us]", "timedelta64[ns]", pa.duration("us")))
def test_durations(values):
    """With units, or as the table shows them."""
    check(values, {">1 day": [0, 4], "1h..90 min": [1], "!=2 days": [1, 3, 4], "1 day, 12:00:00": [4], "<0s": [3]})


def test_month_is_that_of_the_zone_of_the_column():
    """Midnight in Brussels is the evening before in UTC; hours that the clock repeats or skips are hours too."""
    zoned = pd.Series(pd.to_datetime(["2026-02-28T23:30Z"])).dt.tz_convert("Europe/Brussels")
    check(zoned, {"2026-03": [0], "2026-02": []})
    for text in ("2026-10-25 02:30", "2026-03-29 02:30"):
        assert not mask_of(zoned, condition(zoned, text, "when")).any()


@pytest.mark.parametrize("values", dtypes(FLAGS, "boolean", pa.bool_(), "object"))
def test_flags(values):
    """True, false, or null."""
    check(values, {"true": [0, 3], "No": [1, 4], "null": [2, 5], "!=true": [1, 4], "true | false": [0, 1, 3, 4]})


@pytest.mark.parametrize("values", dtypes(WORDS, "str", "string", "object", "category", pa.string(), pa.large_string()))
def test_texts(values):
    """A part in any case, literally; several parts; a whole text."""
    check(values, TEXTS)


@pytest.mark.parametrize("values", dtypes(["ΟΔΟΣ", "οδος", None], "str", "object", "category", pa.string()))
def test_whole_text_is_found_by_its_own_letters(values):
    """Arrow and Python disagree on the lower case of the last letter of a word."""
    found = np.flatnonzero(mask_of(values, condition(values, "=ΟΔΟΣ", "a column")))
    assert 0 in found


@pytest.mark.parametrize(
    ("values", "text"),
    [
        *(
            (column(WHOLE, "Int64"), text)
            for text in ("cheap", ">", "1,5", "..", "nan", ">5 | 7", "=..5", "1_000", "٣", ">1e999")
        ),
        *((column(ZONED, "datetime64[us, UTC]"), text) for text in ("2026-13", "now", "5", "2026-02-30")),
        *((column(FLAGS, "boolean"), text) for text in ("1", "maybe")),
        *((column(SPANS, "timedelta64[us]"), text) for text in (">1", "soon", "!=", "nat")),
        *((column([5, 7], "category"), text) for text in (">5", "=5", "5..7")),
    ],
)
def test_condition_that_does_not_fit_says_what_does(values, text):
    """In one sentence, with examples for this type."""
    with pytest.raises(UsageError, match=r"is not a valid condition on the column price, which holds .* Examples: "):
        condition(values, text, "price")


def test_columns_of_other_kinds_are_searched():
    """Lists, structs, mixed objects and periods; and null works for all."""
    lists = column([["a"], None], pa.list_(pa.string()))
    assert kind_of(lists) == "other"
    assert condition(lists, "a", "lists") is None
    check(lists, {"null": [1], "not null": [0]})


FRAME = pd.DataFrame(
    {
        "name": column(WORDS, "str"),
        "cents": column(WHOLE, "Int64"),
        "price": column(FLOATS, "float64"),
        "created": column(ZONED, "datetime64[us, UTC]"),
        "arrow": column(ZONED, pa.timestamp("us", "UTC")),
        "active": column(FLAGS, "boolean"),
        "lists": column([["b"], ["a", "soap"], None, [], ["Soap"], ["z"]], pa.list_(pa.string())),
        "mixed": pd.Series([1, "a", None, {"k": "soap"}, 2.5, ()], dtype=object),
        'odd "name"\\': range(6),
        ("a", 1): range(6),
        7: list("fedcba"),
    },
)
TWICE = pd.concat([FRAME[["name", "cents"]], FRAME[["cents", "price"]]], axis=1)
UNNAMED = FRAME[["name", "cents"]].set_axis(["", "a"], axis=1)
MISNAMED = FRAME[["name", "cents", "price"]].set_axis(["a", "a", "a (2)"], axis=1)
SAME_NAME = FRAME[["name", "cents"]].set_index(pd.Index(range(6), name="cents"))
PIVOT = pd.DataFrame({("a", 1): [3, 1, 2], ("a", 2): [1, 1, 2]})
ALIKE = FRAME[["name", "cents", "price"]].set_axis([1, "1", "\u202e"], axis=1)
INDEXED = FRAME[["name", "cents", "price"]].set_index(
    pd.MultiIndex.from_product([["x", "y"], [3, 2, 1]], names=["k", None])
)
REPEATED = FRAME[["name", "cents"]].set_index(pd.Index([1, 1, 2, 2, 1, 2], name="key"))


@pytest.mark.parametrize(
    ("frame", "filters", "sort", "columns"),
    [
        (FRAME, {}, None, None),
        (FRAME, {"cents": ">=5", "price": "!=7.25"}, "name", ["name", "price"]),
        (FRAME, {"created": "2026-03 | 2025", "arrow": ">2025"}, "arrow", None),
        (FRAME, {"cents": ">=5", "arrow": "!=2024"}, None, None),
        (FRAME, {"arrow": ">2024", "cents": ">=5", "active": "true"}, "arrow", None),
        (FRAME, {"active": "true", "name": "!=tea"}, "active", ["active"]),
        (FRAME, {None: "soap"}, "lists", ["lists"]),
        (FRAME, {"lists": "soap", "mixed": "not null"}, "mixed", None),
        (FRAME, {'odd "name"\\': ">1", "('a', 1)": "<5", "7": "a | b | c | d"}, "7", ["('a', 1)", "7"]),
        (FRAME, {"name": "nothing has this"}, "cents", ["name"]),
        (TWICE, {"cents (2)": ">5", "name": "soap | o"}, "cents (2)", ["name", "cents (2)"]),
        (UNNAMED, {"(no name)": "soap | o", "a": "not null"}, "(no name)", ["(no name)"]),
        (MISNAMED, {"a (2)": ">5", "a (3)": "not null"}, "a (3)", ["a (3)"]),
        (SAME_NAME, {"cents": ">=1", "cents (2)": "not null", "name": "not null"}, "cents", ["cents (2)"]),
        (SAME_NAME, {"cents (2)": ">5"}, "cents (2)", ["name"]),
        (SAME_NAME, {"cents": "<5"}, "name", None),
        (PIVOT, {"('a', 2)": "1"}, "('a', 1)", ["('a', 1)"]),
        (ALIKE, {"1 (2)": "not null", "1": "soap | o", "\u202e": ">1"}, "1", ["1", "\u202e"]),
        (INDEXED, {"k": "y", "level_1": "!=2"}, "level_1", ["level_1", "price"]),
        (REPEATED, {"key": "1"}, "key", ["cents"]),
        (REPEATED, {"key": ">0", "name": "not null"}, "cents", ["key"]),
    ],
)
@pytest.mark.parametrize("descending", [False, True])
def test_code_gives_what_is_on_view(frame, filters, sort, columns, descending):
    """The very rows in the very order, the columns and the index: with odd names, names used twice, an index."""
    view = View(frame)
    for label, text in filters.items():
        view.filter(text, label)
    view.sort(sort, descending=descending)
    if columns is not None:
        view.choose(columns)
    assert view.code.isprintable()
    made = run(view.code, df=frame)
    pd.testing.assert_frame_equal(made, view.frame)


def test_code_reads_well():
    """As somebody would write it; what pandas has no method for is asked of the table."""
    view = View(FRAME[["name", "cents", "created", "lists"]])
    assert view.code == "df"
    view.filter(">1000", "cents")
    view.filter("2026-03", "created")
    view.sort("name", descending=True)
    view.choose(["name"])
    month = 'pd.Timestamp("2026-03-01 00:00:00+00:00"), pd.Timestamp("2026-03-31 23:59:59.999999+00:00")'
    assert view.code == (
        f'df[df["cents"].gt(1000) & df["created"].between({month})]'
        '.sort_values("name", ascending=False, kind="stable")[["name"]]'
    )
    view.clear()
    view.filter("soap")
    assert 'df[vk.table(df).matches("soap")]' in view.code


def test_condition_without_a_column_is_refused():
    """`>1000` in any column would find nothing, and `null` would be a text."""
    for text in (">1000", "10..20", "<= 2026-03", "2026-01..2026-02"):
        with pytest.raises(UsageError, match="no column is chosen"):
            View(FRAME).filter(text)
    view = View(FRAME)
    view.filter("Soap (dish)")
    assert view.frame.index.tolist() == [4]


def test_faulty_filter_changes_nothing():
    """The rows, the order and the other filters stay."""
    view = View(FRAME)
    view.filter("soap", "name")
    with pytest.raises(UsageError):
        view.filter("cheap", "cents")
    assert view.filters == {"name": "soap"}
    assert view.frame.index.tolist() == [0, 4]


def test_date_without_time_zone_is_code_too():
    """Arrow's dates compare with dates only."""
    frame = pd.DataFrame({"day": column([date(2026, 3, 1), None], pa.date32())})
    view = View(frame)
    view.filter("<=2026-03", "day")
    assert view.code == 'df[df["day"].le(pd.Timestamp("2026-03-31").date())]'
    assert run(view.code, df=frame).equals(view.frame)
