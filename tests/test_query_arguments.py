"""Values of pandas, NumPy and other libraries in a query: their meaning, and the errors for wrong ones."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import vendorkit as vk
from tests.argument_values import Number, Status
from vendorkit.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")

NINE = [
    9,
    "9",
    9.0,
    np.int64(9),
    np.uint8(9),
    np.float32(9),
    np.float16(9),
    Decimal("9.00"),
    Fraction(9),
    Number.NINE,
    pa.scalar(9),
]
NO_NUMBER = [
    *(True, np.True_, 2.5, float("nan"), float("inf"), Decimal("sNaN"), 2.0**60, 10**30, 10**5000, 1j, b"9"),
    *(np.float32(123_456_789), np.float16(4_096), np.longdouble(2**60)),
]
MIDNIGHT = 1769817600  # 2026-01-31
LAST_SECOND = MIDNIGHT + 86_399
DAYS = ["2026-01-31", date(2026, 1, 31), np.datetime64("2026-01-31"), np.array("2026-01-31", "datetime64[D]")[()]]
TIMES = [
    MIDNIGHT,
    np.int64(MIDNIGHT),
    "2026-01-31T01:00:00+01:00",
    "2026-01-31T00:00:00Z",
    datetime(2026, 1, 31),  # noqa: DTZ001
    datetime(2026, 1, 31, tzinfo=timezone.utc),
    pd.Timestamp("2026-01-31"),
    pd.Timestamp("2026-01-31 01:00", tz="Europe/Brussels"),
    np.datetime64("2026-01-31T00:00:00.000000000"),
    # Fractions of a second are cut off.
    pd.Timestamp("2026-01-31 00:00:00.999999999"),
    np.datetime64("2026-01-31T00:00:00.999999"),
    "2026-01-31 00:00:00.999999",
]
NO_TIME = [
    *(pd.NaT, np.datetime64("NaT"), pd.Timedelta(days=1), np.datetime64("300000-01-01"), True, 0.5, "yesterday"),
    # Neither a day nor a moment; what NumPy would wrap around; milliseconds.
    *(np.datetime64("2026-01"), np.datetime64("2026"), np.datetime64("2026-01-31", "W"), "2026-W05", "2026W05"),
    *(np.datetime64(1, "as"), "2026-01-31+01:00", "2026-01-31-01:00", "2026-01-31Z", "2026-01-31x12:00"),
    *(np.datetime64(2**62, "s"), np.datetime64(-(2**62), "ms"), 1_769_817_600_000, np.int64(2**62)),
]


def named(value) -> str:
    """Return a short name for a case."""
    return f"{type(value).__name__}"


def refusal(call) -> str:
    """Return the message of the `UsageError` that a call raises."""
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("nine", NINE, ids=named)
def test_whole_numbers_of_any_numeric_type_are_one_question(medipim, nine):
    """They are accepted as id, as limit and in a nested filter, also as whole floats, which a column with gaps has."""
    assert medipim.products.query(brand=nine).ask.filters == {"brand": 9}
    assert medipim.products.query(brand=[nine, 10]).ask.filters == {"brand": [9, 10]}
    assert medipim.products.query(where={"not": {"brand": nine}}).ask.where == {"not": {"brand": 9}}
    if not isinstance(nine, str):
        assert medipim.products.query().plan(limit=nine).rows == 9
        assert json.dumps(medipim.products.query(has_content={"flag": nine}).describe())


@pytest.mark.parametrize("wrong", NO_NUMBER, ids=named)
def test_what_is_no_whole_number_is_refused_as_what_it_is(medipim, vendors, wrong):
    """Floats that may have lost digits and ints beyond 64 bits are refused. A very long int is shown by its type."""
    assert refusal(lambda: medipim.products.query(brand=wrong)).startswith(
        "brand must be a brand id (whole number), not "
    )
    assert refusal(lambda: medipim.products.query().frame(limit=wrong)).startswith("limit must be a number of records")
    assert vendors["medipim"].requests == 0


def test_a_name_in_place_of_an_id_leads_to_the_ids(medipim, mediagenix):
    """The message says how to find the id by its name, or where the ids are."""
    said = refusal(lambda: medipim.products.query(brand="Aderlis"))
    assert said == (
        "brand must be a brand id (whole number), not 'Aderlis'. Find ids with medipim.brands.query(search='Aderlis')."
    )
    said = refusal(lambda: medipim.products.query(organization=["3", "Aderlis"]))
    assert said == (
        "organization must be an organization id (whole number), not 'Aderlis'. "
        "Find ids with medipim.organizations.query(search_name='Aderlis')."
    )
    assert "Find ids with mediagenix.title_groups.query().frame()." in refusal(
        lambda: mediagenix.titles.query(title_group="Ronja")
    )
    assert "Find" not in refusal(lambda: medipim.products.query(attributes="colour"))


@pytest.mark.parametrize("missing", [None, pd.NA, float("nan"), pd.NaT, np.float64("nan")], ids=named)
def test_a_missing_value_in_a_column_is_named_with_the_remedy(medipim, vendors, missing):
    """A gap in a Series is not left out silently, because the result would be that of another query."""
    said = refusal(lambda: medipim.products.query(brand=pd.Series([9, missing], dtype="object")))
    assert said.endswith(f"not {missing!r}. Leave missing values out, for instance with dropna().")
    assert vendors["medipim"].requests == 0


@pytest.mark.parametrize(
    "nines",
    [
        pd.Series([9, 10]),
        pd.Series([9.0, 10.0]),
        pd.Series([9, 10], dtype="Int64"),
        pd.Series(["9", "10"], dtype="string"),
        pd.Index([9, 10]),
        pd.Categorical([9, 10]),
        np.array([9, 10]),
        pa.array([9, 10]),
        (one for one in (9, 10)),
        range(9, 11),
        {9: "a", 10: "b"}.keys(),
    ],
    ids=named,
)
def test_any_iterable_is_a_list(medipim, nines):
    """The order is kept."""
    assert medipim.products.query(brand=nines).ask.filters == {"brand": [9, 10]}


def test_a_set_is_a_list_in_one_order(medipim):
    """A saved dataset is continued by an equal query in another process, where sets have another order."""
    codes = {f"{number:07d}" for number in range(50)}
    assert medipim.products.query(cnk=codes).ask.filters == {"cnk": sorted(codes)}
    assert medipim.products.query(has_content={"flag": codes}).ask.filters == {"hasContent": {"flag": sorted(codes)}}


def test_texts_of_any_kind_are_plain(medipim):
    """The same holds for strings of NumPy and of an Enum, whose str() is the name."""
    for active in ("active", np.str_("active"), Status.ACTIVE):
        (found,) = medipim.products.query(status=active).ask.filters.values()
        assert (found, type(found)) == ("active", str)
    said = refusal(lambda: medipim.products.query(status="activ"))
    assert said == "status must be one of active, replaced, inactive, not 'activ'."


@pytest.mark.parametrize("code", [1234567, np.int64(1234567), 1234567.0, b"1234567"], ids=named)
def test_a_number_is_no_code(medipim, code):
    """Its leading zeros are lost; the message says so."""
    assert refusal(lambda: medipim.products.query(cnk=code)) == (
        f"cnk must be a string, not {code!r}. Pass a string: numbers cannot have leading zeros."
    )


@pytest.mark.parametrize("moment", TIMES, ids=named)
def test_times_of_any_library_are_one_moment(medipim, moment):
    """As one value, in a pair, in a Series, in a nested filter, and as `since`."""
    query = medipim.products.query
    assert query(created_at=moment).ask.filters == {"createdAt": MIDNIGHT}
    assert query(created_at=(None, moment)).ask.filters == {"createdAt": {"until": MIDNIGHT}}
    assert query(created_at=pd.Series([moment, None], dtype="object")).ask.filters == {"createdAt": {"from": MIDNIGHT}}
    assert query(where={"not": {"createdAt": {"from": moment}}}).ask.where == {"not": {"createdAt": {"from": MIDNIGHT}}}
    assert query(since=moment).since.at == MIDNIGHT


@pytest.mark.parametrize("day", DAYS, ids=named)
def test_a_date_is_a_whole_day_in_utc(medipim, day):
    """The end of a span includes it. One value is that day. A start, and `since`, is its first moment."""
    query = medipim.products.query
    whole = {"from": MIDNIGHT, "until": LAST_SECOND}
    assert query(created_at=day).ask.filters == {"createdAt": whole}
    assert query(created_at=(day, day)).ask.filters == {"createdAt": whole}
    assert query(created_at=[day, None]).ask.filters == {"createdAt": {"from": MIDNIGHT}}
    assert query(created_at={"until": day}).ask.filters == {"createdAt": {"until": LAST_SECOND}}
    assert query(where={"not": {"createdAt": day}}).ask.where == {"not": {"createdAt": whole}}
    assert query(created_at=(MIDNIGHT, day)).ask.filters == {"createdAt": whole}
    assert query(since=day).since.at == MIDNIGHT
    assert query(updated_since=day).ask.filters == {"updatedSince": MIDNIGHT}
    assert query(updated_since=(day, day)).ask.filters == {"updatedSince": whole}


def test_the_end_of_a_period_belongs_to_it(medipim):
    """The last nanosecond of a day is not the first second of the next; before 1970 the same holds."""
    span = (datetime(1969, 12, 31, 23, 59, 59, 500_000), pd.Period("2026-01-31", "D").end_time)  # noqa: DTZ001
    assert medipim.products.query(created_at=span).ask.filters == {"createdAt": {"from": -1, "until": LAST_SECOND}}


def test_a_span_of_dates_has_the_records_of_its_last_day(medipim):
    """The result equals that of a span up to one second before the next day."""
    whole = medipim.products.query().frame(columns=["created_at"])["created_at"]
    for first, last in [("2024-01-01", "2024-12-31"), ("2025-06-01", "2025-06-01"), (date(2025, 1, 1), "2025-03-31")]:
        after = pd.Timestamp(last, tz="UTC") + pd.Timedelta(days=1)
        expected = whole[(whole >= pd.Timestamp(first, tz="UTC")) & (whole < after)]
        assert medipim.products.query(created_at=(first, last)).count() == len(expected) > 0


@pytest.mark.parametrize(
    "pair", [("2024-12-31", "2024-01-01"), (MIDNIGHT, MIDNIGHT - 1), {"until": date(2024, 1, 1), "from": "2024-01-02"}]
)
def test_a_span_that_ends_before_it_begins_is_refused(medipim, pair):
    """It would match nothing, which looks like a valid result."""
    for call in (
        lambda: medipim.products.query(created_at=pair),
        lambda: medipim.products.query(where={"createdAt": pair}),
    ):
        assert refusal(call).startswith("created_at must be a pair (from, until) in chronological order, not ")


NO_CENTS = [
    True,
    np.True_,
    -5,
    0,
    19.99 * 100,
    Decimal("1998.9999999999999999"),
    0.5,
    float("nan"),
    None,
    pd.NA,
    [1999],
    {},
]


@pytest.mark.parametrize(
    "cents", [1999, 1999.0, np.int64(1999), np.float64(1999), Decimal("1999.00"), Fraction(1999)], ids=named
)
def test_cents_may_be_of_any_numeric_type(pledg, cents):
    """They are accepted as a filter, in signed values, and as a refund."""
    assert pledg.payment_schedule.query(amount_cents=cents, created="2026-01-31").ask.filters["amount_cents"] == 1999
    signature = pledg.purchase_url({"amountCents": cents, "reference": "A"}).partition("signature=")[2]
    assert vk.auth.verify_jwt(signature, pledg.merchant_secret())["data"]["amountCents"] == 1999


@pytest.mark.parametrize("wrong", [*NO_CENTS, "nineteen"], ids=repr)
def test_money_is_a_positive_whole_number_of_cents(vendors, wrong):
    """Every argument of that name is checked, at any depth. Nothing is signed or sent."""
    pledg = vk.connect("pledg", environment="local", writable=True)
    vendors["pledg"].clear_log()
    calls = [
        lambda: pledg.purchase_url({"amountCents": wrong}),
        lambda: pledg.purchase_link({"amountCents": wrong}),
        lambda: pledg.purchase_link({"amountCents": 1999}, link={"steps": [{"fee_cents": wrong}]}),
        lambda: pledg.sign({"data": {"amountCents": wrong}}),
        lambda: pledg.refund("pur_1", wrong),
    ]
    if wrong is not None:  # a filter that is left out
        calls.append(lambda: pledg.payment_schedule.query(amount_cents=wrong, created="2026-01-31"))
    for call in calls:
        said = refusal(call)
        assert "cents" in said.lower()
        assert "whole number" in said or "one value" in said
    assert vendors["pledg"].requests == 0


@pytest.mark.parametrize("wrong", NO_TIME, ids=named)
def test_what_is_no_time_is_refused_as_what_it_is(medipim, wrong):
    """Missing values are refused too, in each place."""
    wanted = "a date, a datetime, an ISO 8601 string or unix seconds"
    for call in (
        lambda: medipim.products.query(created_at=wrong),
        lambda: medipim.products.query(created_at=(wrong, None)),
        lambda: medipim.products.query(where={"createdAt": {"from": wrong}}),
    ):
        assert refusal(call).startswith(f"created_at must be {wanted}, or a pair (from, until) of these, not ")
    assert refusal(lambda: medipim.products.query(since=wrong)).startswith(f"since must be {wanted}, not ")


@pytest.mark.parametrize("day", [date(2026, 1, 31), pd.Timestamp("2026-01-31 12:00"), np.datetime64("2026-01-31")])
def test_days_of_any_library_are_one_day(pledg, day):
    """Pledg expects days as YYYY-MM-DD."""
    assert pledg.payment_schedule.query(amount_cents=100, created=day).ask.filters["created"] == "2026-01-31"


NAN_BODIES = {
    "nested filter": lambda m: m.products.query(
        where={"and": [{"brand": 9}, {"not": {"brand": float("nan")}}]}
    ).frame(),
    "object filter": lambda m: m.products.query(search={"query": np.float64("nan")}).frame(),
    "raw body": lambda m: m.post("/v4/products/query", json={"filter": {"and": [{"brand": Decimal("NaN")}]}}),
    "raw list": lambda m: m.post("/v4/products/query", json=[pd.NaT]),
    "parameter": lambda m: m.get("/v4/brands/find", params={"id": float("inf")}),
}


@pytest.mark.parametrize("place", NAN_BODIES)
def test_what_json_cannot_say_is_refused_before_anything_is_sent(medipim, vendors, place):
    """Previously it was reported as a broken network, after four attempts."""
    said = refusal(lambda: NAN_BODIES[place](medipim))
    assert "must be" in said
    assert "network" not in said
    assert vendors["medipim"].requests == 0


def test_a_raw_body_may_hold_numpy_and_pandas_values(medipim):
    """They are sent as plain JSON values."""
    ids = medipim.brands.query().frame(columns="id", limit=2)["id"].astype("int64")
    body = {"filter": {"id": ids}, "page": {"no": np.int64(0), "size": np.float64(10)}}
    assert medipim.post("/v4/brands/query", json=body).json()["meta"]["total"] == 2
    assert medipim.get("/v4/brands/find", params={"id": np.int64(9)}).json()["brand"]["id"] == 9


def test_a_boolean_parameter_is_true_or_false_as_in_json(mediagenix):
    """Python's "False" is true for Rails."""
    url = mediagenix.get("/api/titles", params={"pagination": np.True_, "per_page": 1, "x": [False, "False"]}).url
    assert url.endswith("?pagination=true&per_page=1&x=false&x=False")


@pytest.mark.parametrize("inner", [[], [[]], pd.Series([], dtype="float64")], ids=["none", "a list", "Series"])
def test_a_nested_filter_without_values_is_refused(medipim, vendors, inner):
    """No document of the vendor says what "or" and "not" do with it."""
    assert "brand" in refusal(lambda: medipim.products.query(where={"not": {"brand": inner}}))
    assert vendors["medipim"].requests == 0


def test_one_name_is_a_list_of_one(medipim, mediagenix):
    """Columns and expansions are examples."""
    assert list(medipim.brands.query(id=9).frame(columns="id").columns) == ["id"]
    assert list(medipim.brands.query(id=9).tables(columns="name", locale="nl")["brands"].columns) == ["id", "name"]
    assert mediagenix.titles.query(expand="metadata") == mediagenix.titles.query(expand=["metadata"])
    follow = mediagenix.follow
    assert follow("/api/titles", expand="metadata").ask == follow("/api/titles", expand=("metadata",)).ask
    dataset = medipim.brands.query(id=9).save("one", columns="name")
    assert list(dataset.frame(columns="name").columns) == ["name"]


NOTHING = [[], (), set(), pd.Series([], dtype="Int64"), pd.Index([]), np.array([]), iter([])]


@pytest.mark.parametrize("empty", NOTHING, ids=named)
def test_a_filter_without_values_matches_nothing_and_sends_nothing(medipim, vendors, empty):
    """A filtered Series may be empty: the result has no rows, and the columns it would have."""
    query = medipim.products.query(brand=empty, status="active")
    frame = query.frame(columns=["id", "name"])
    assert len(frame) == 0
    pd.testing.assert_series_equal(frame.dtypes, medipim.products.query().frame(columns=["id", "name"], limit=0).dtypes)
    assert frame.attrs["vendorkit"]["complete"] is True
    assert frame.attrs["vendorkit"]["request"]["json"]["filter"] == {"and": [{"brand": []}, {"status": "active"}]}
    sent = vendors["medipim"].requests
    assert {name: len(table) for name, table in query.tables().items()}["products"] == 0
    assert list(query.records()) == list(query.batches()) == []
    assert query.count() == 0
    assert (query.plan().requests, query.plan().rows) == (0, 0)
    assert "brand=[]" in query.snippet("vendorkit")
    assert vendors["medipim"].requests == sent == 1  # that of limit=0


def test_a_dataset_without_values_is_whole_and_stays_so(medipim, vendors, tmp_path):
    """It is saved, loaded, saved again and updated without a request, and read with Dask."""
    query = medipim.products.query(status=[])
    for dataset in (query.save("nothing"), query.save("nothing"), query.update("nothing")):
        assert (dataset.rows, dataset.complete) == (0, True)
        pd.testing.assert_series_equal(vk.load("nothing").dtypes, query.frame().dtypes)
    assert len(query.dask().compute()) == 0
    assert vendors["medipim"].requests == 0


def test_every_vendor_knows_a_filter_without_values(mediagenix, vendors):
    """An example is the event types of a feed."""
    assert len(mediagenix.events.query(event_type=[], newer_than=0).frame()) == 0
    assert vendors["mediagenix"].requests == 0


REFUSED = {
    "limit": (
        lambda m, p, o: m.brands.query().frame(limit="3"),
        "limit must be a number of records, 0 or more, not '3'.",
    ),
    "columns": (
        lambda m, p, o: m.brands.query().frame(columns=7),
        "columns must be a list of column names, not 7.",
    ),
    "columns with a gap": (
        lambda m, p, o: m.brands.query().frame(columns=["id", None]),
        "columns must be a list of column names, not None. Leave missing values out, for instance with dropna().",
    ),
    "table": (
        lambda m, p, o: m.products.query(brand=pd.DataFrame({"id": [9]})),
        "brand must be a list, or one column, not a value of type DataFrame.",
    ),
    "dictionary": (
        lambda m, p, o: m.products.query(brand={"id": 9}),
        "brand must be a brand id (whole number), not {'id': 9}. Find ids with medipim.brands.query(search='…').",
    ),
    "one value": (
        lambda m, p, o: m.products.query(minimum_content=[True, False]),
        "minimum_content must be one value: True or False, not [True, False].",
    ),
    "link": (
        lambda m, p, o: o.follow(pd.NA),
        (
            "link must be a URL of the vendor, such as a cell of a …_link column, not <NA>. "
            "Leave missing values out, for instance with dropna()."
        ),
    ),
    "id": (lambda m, p, o: o.titles.get(".."), "identifier must be an id, not '..'."),
    "product": (
        lambda m, p, o: o.root("editor"),
        "Mediagenix On-Demand (local) has no product 'editor'. Available: movida, sequence.",
    ),
    "where": (
        lambda m, p, o: m.products.query(where=[{"brand": 9}]),
        """where must be a filter with one key, such as {"and": [ … ]}, not [{'brand': 9}].""",
    ),
    "path": (lambda m, p, o: m.brands.query().save(b"x"), "path must be the path of a folder, not b'x'."),
    "writable": (
        lambda m, p, o: vk.connect("medipim", environment="local", writable="no"),
        "writable must be True or False, not 'no'.",
    ),
    "vendor": (lambda m, p, o: vk.connect("Medipin"), "There is no vendor 'Medipin'. Did you mean medipim?"),
    "cents": (
        lambda m, p, o: p.refund("pur_1", 9.5),
        "amount_cents must be a positive whole number of cents, not 9.5.",
    ),
    "event": (
        lambda m, p, o: vk.cancellable(5).__enter__(),
        "An event must have is_set(), which a value of type int does not have. Pass a threading.Event.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_what_happened_to_what_and_what_to_do(medipim, pledg, mediagenix, vendors, case):
    """The message has the argument's name, and a remedy if there is one."""
    call, said = REFUSED[case]
    assert refusal(lambda: call(medipim, pledg, mediagenix)) == said
    assert sum(vendors[name].requests for name in vendors) == 0


def test_an_endless_iterable_and_a_circle_are_refused(medipim, vendors):
    """They are refused at once, without filling the memory."""
    from itertools import count, repeat

    assert "brand has more than 100,000 values." in refusal(lambda: medipim.products.query(brand=count()))
    assert "columns has more than" in refusal(lambda: medipim.brands.query().frame(columns=repeat("id")))
    circle = {"not": {}}
    circle["not"] = circle
    assert "contains itself" in refusal(lambda: medipim.products.query(where=circle))
    assert "contains itself" in refusal(lambda: medipim.post("/v4/brands/query", json={"filter": circle}))
    assert vendors["medipim"].requests == 0
