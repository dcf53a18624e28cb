"""One query per row of a DataFrame: what comes back, how often the vendor is asked, and what an error does."""

from __future__ import annotations

import json
import threading

import numpy as np
import pandas as pd
import pytest

import vendorkit as vk
from vendorkit.errors import Cancelled, CredentialsRefused, UsageError
from vendorkit.pull import progress_to

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")

AMOUNTS = pd.DataFrame(
    {"amount": [5_000, 20_000, 5_000], "day": ["2026-01-31", "2026-02-28", "2026-01-31"]}, index=[7, 8, 9]
)
ERROR = "for_each_error"


def products_of(medipim, code: str, rows: int) -> pd.DataFrame:
    """Products that have a code, and it."""
    frame = medipim.products.query(status="active").frame(columns=["id", code])
    return frame.dropna().drop_duplicates(code).head(rows).reset_index(drop=True)


def test_every_row_has_its_records_in_order(pledg):
    """The columns of the frame first; a row is repeated for each record, with its index."""
    found = pledg.payment_schedule.for_each(AMOUNTS, amount_cents="amount", created="day")
    assert list(found)[:2] == ["amount", "day"]
    assert list(found)[-1] == ERROR
    assert found.index.tolist() == [7, 7, 7, 8, 8, 8, 9, 9, 9]
    assert found[ERROR].isna().all()
    for label, row in AMOUNTS.iterrows():
        expected = pledg.payment_schedule.query(amount_cents=row["amount"], created=row["day"]).frame()
        pd.testing.assert_frame_equal(found.loc[label, list(expected)].reset_index(drop=True), expected)


def test_equal_rows_are_asked_once(pledg, vendors):
    """However their values are written."""
    frame = pd.DataFrame({"amount": [5_000, 5_000.0, np.int64(5_000), "5000"] * 5}, dtype="object")
    vendors["pledg"].clear_log()
    found = pledg.payment_schedule.for_each(frame, amount_cents="amount", created="2026-01-31")
    assert vendors["pledg"].requests == 1
    assert len(found) == 60


def test_errors_stay_in_their_rows(pledg):
    """A wrong or missing cell, and what the vendor refuses; the others are there."""
    frame = pd.DataFrame({"amount": [20_000, 19.99, None, 10.0**15, 5_000]})
    found = pledg.payment_schedule.for_each(frame, amount_cents="amount", created="2026-01-31")
    assert found.index.tolist() == [0, 0, 0, 1, 2, 3, 4, 4, 4]
    failed = found[found[ERROR].notna()]
    assert failed.index.tolist() == [1, 2, 3]
    assert failed["line"].isna().all()
    assert "positive whole number of cents" in failed[ERROR].iloc[0]
    assert "amount is missing" in failed[ERROR].iloc[1]
    assert "amount_cents" in failed[ERROR].iloc[2]
    assert not found.attrs["vendorkit"]["complete"]
    assert found.dtypes["line"] == pd.Int64Dtype()


def test_a_row_with_nothing_found_is_kept(medipim, mediagenix):
    """With nulls and without an error."""
    found = mediagenix.titles.for_each(pd.DataFrame({"code": ["no-such"]}), external_id="code")
    assert len(found) == 1
    assert found.drop(columns="code").isna().all(axis=None)
    assert found.attrs["vendorkit"]["complete"]
    brands = medipim.brands.for_each(pd.DataFrame({"word": ["Aderlis", "no such brand"]}), search="word")
    assert brands.groupby("word")["id"].count().to_dict() == {"Aderlis": 1, "no such brand": 0}


def test_codes_are_asked_a_thousand_at_a_time(medipim, vendors):
    """Where the vendor takes lists; each record goes to the row with its code."""
    known = products_of(medipim, "cnk", 1_500)
    codes = pd.DataFrame({"code": [*known["cnk"], *known["cnk"].head(3)]})
    vendors["medipim"].clear_log()
    found = medipim.products.for_each(codes, cnk="code", columns=["id"])
    calls = [one for one in vendors["medipim"].log() if one["path"].endswith("/query")]
    assert len(calls) <= 8  # two lists, in pages of 250
    assert list(found) == ["code", "id", ERROR]
    assert found["id"].tolist() == [*known["id"], *known["id"].head(3)]


def test_a_record_with_several_codes_belongs_to_each(medipim):
    """A product has a list of EANs, and an EAN may be that of several products."""
    eans = medipim.products.query(status="active").tables(columns=["ean"])["product_ean"]
    wanted = eans[eans["product_id"].isin(eans["product_id"].value_counts().head(20).index)]
    found = medipim.products.for_each(pd.DataFrame({"code": wanted["value"].unique()}), ean="code", columns=["id"])
    for code, some in found.groupby("code"):
        assert some["id"].tolist() == medipim.products.query(ean=code).frame(columns=["id"])["id"].tolist()


def test_a_code_that_the_vendor_refuses_spoils_no_other(medipim):
    """Of a list with a malformed one, the others are found."""
    known = products_of(medipim, "cnk", 40)
    codes = pd.DataFrame({"code": [*known["cnk"], "not a cnk", "0000000"]})
    found = medipim.products.for_each(codes, cnk="code", columns=["id"])
    assert found["id"].tolist()[:40] == known["id"].tolist()
    assert found["id"].isna().sum() == 2


def test_a_name_in_both_frames_is_refused_unless_there_is_a_prefix(pledg, vendors):
    """Before anything is sent; errors of an earlier call too."""
    frame = pd.DataFrame({"amount_cents": [20_000], "created": ["2026-01-31"]})
    asked = {"amount_cents": "amount_cents", "created": "created"}
    vendors["pledg"].clear_log()
    with pytest.raises(UsageError, match=r"amount_cents, created.*prefix="):
        pledg.payment_schedule.for_each(frame, **asked)
    assert vendors["pledg"].requests == 0
    found = pledg.payment_schedule.for_each(frame, prefix="plan_", **asked)
    assert list(found)[:2] == ["amount_cents", "created"]
    assert "plan_amount_cents" in found
    with pytest.raises(UsageError, match=ERROR):
        pledg.merchant_conditions.for_each(found, merchant_uid="plan_merchant_uid", columns=["payment_type"])
    twice = pledg.merchant_conditions.for_each(found, prefix="c_", merchant_uid="plan_merchant_uid")
    assert {ERROR, f"c_{ERROR}"} <= set(twice)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: p.payment_schedule.for_each([1], amount_cents="a"), "df must be a pandas DataFrame"),
        (
            lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents=100, created="2026-01-31"),
            "No filter names a column",
        ),
        (lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount"), "needs created"),
        (lambda p: p.payment_schedule.for_each(AMOUNTS, amount="amount", created="day"), "no filter 'amount'"),
        (
            lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount", created="soon"),
            "created must be a date",
        ),
        (
            lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount", created="day", columns="x"),
            "no column 'x'",
        ),
        (lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount", created="day", nested="x"), "nested"),
        (
            lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount", created="day", prefix=1),
            "prefix must be",
        ),
        (
            lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount", created="day", limit=-1),
            "limit must be",
        ),
        (
            lambda p: p.payment_schedule.for_each(
                pd.concat([AMOUNTS, AMOUNTS], axis=1), amount_cents="amount", created="day"
            ),
            "more than once",
        ),
        (
            lambda p: p.payment_schedule.for_each(AMOUNTS, amount_cents="amount", since="2026-01-31"),
            "no filter 'since'. Available: amount_cents",
        ),
    ],
)
def test_what_is_wrong_for_every_row_is_refused_before_anything_is_sent(pledg, vendors, call, said):
    """One `UsageError`, as for any other verb."""
    vendors["pledg"].clear_log()
    with pytest.raises(UsageError, match=said):
        call(pledg)
    assert vendors["pledg"].requests == 0


def test_refused_credentials_end_it(medipim, vendors):
    """They are not asked about again for every row."""
    medipim.session.schemes["default"] = vk.auth.Basic("nobody", "made-up-words")
    with pytest.raises(CredentialsRefused):
        medipim.brands.for_each(pd.DataFrame({"word": [f"word {n}" for n in range(50)]}), search="word")
    assert vendors["medipim"].requests < 20  # eight are under way at once, and more wait


def test_cancel_ends_it(medipim, vendors):
    """While queries are under way."""
    vendors["medipim"].set(latency_s=0.3)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        medipim.brands.for_each(pd.DataFrame({"word": [f"word {n}" for n in range(100)]}), search="word")
    assert vendors["medipim"].requests < 40


def test_progress_counts_queries(medipim):
    """For whoever subscribes; that of single queries is not mixed in."""
    seen: list[tuple[int, int | None]] = []
    with progress_to(lambda progress: seen.append((progress.rows, progress.total))):
        medipim.brands.for_each(pd.DataFrame({"word": ["Aderlis", "x", "y"]}), search="word")
    assert seen[-1] == (3, 3)
    assert all(total == 3 for _, total in seen)


def test_no_rows_give_the_same_columns_and_dtypes(medipim, vendors):
    """Nothing is sent; what was asked is in `attrs`, as JSON."""
    frame = pd.DataFrame({"code": ["M03E1910D9"]})
    full = medipim.products.for_each(
        frame, id="code", status=["active", "inactive"], columns=["id", "brands", "public_price"]
    )
    vendors["medipim"].clear_log()
    none = medipim.products.for_each(frame.head(0), id="code", columns=["id", "brands", "public_price"])
    assert vendors["medipim"].requests == 0
    pd.testing.assert_series_equal(none.dtypes, full.dtypes)
    about = json.loads(json.dumps(full.attrs["vendorkit"]))
    assert about["request"] == {
        "resource": "products",
        "for_each": {"id": "code"},
        "filters": {"status": ["active", "inactive"]},
    }
    assert about["environment"] == "local"


def test_lists_are_held_as_asked(medipim):
    """As in `frame()`; and a limit is one per row."""
    frame = pd.DataFrame({"brand": ["9", "8"]})
    found = medipim.products.for_each(frame, brand="brand", prefix="p_", limit=2, nested="json")
    assert found["brand"].tolist() == ["9", "9", "8"]
    assert json.loads(found["p_brands"].iloc[0])[0]["id"] == "9"
    assert "p_brands" not in medipim.products.for_each(frame, brand="brand", prefix="p_", limit=1, nested="drop")
