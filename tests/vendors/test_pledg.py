"""Pledg end to end on the mock server: plans, conditions, notifications, signatures, the three schemes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import requests

import vendorkit as vk
from tests.https import JSON, answer, client_of, raw_server
from vendorkit.auth import verify_jwt
from vendorkit.errors import (
    CredentialsRefused,
    InvalidRequest,
    MalformedAnswer,
    NotAllowed,
    NotFound,
    SettingsError,
    SignatureInvalid,
    UsageError,
    VendorUnavailable,
)
from vendorkit.frames import SchemaDrift
from vendorkit.http.call import Policy
from vendorkit.local.pledg import schedule as pledg_schedule
from vendorkit.settings import Secret, Settings
from vendorkit.vendors.pledg.client import Pledg

ASKED = {"amount_cents": 20_000, "created": "2026-01-31"}


@pytest.fixture
def writable(vendors):
    """A client that may write."""
    return vk.connect("pledg", environment="local", writable=True)


def test_plan_has_a_row_a_payment_that_sums_to_the_amount(pledg):
    """Monthly on the same day, or the month's last; the remainder on the first line, fees beside."""
    frame = pledg.payment_schedule.query(**ASKED).frame()
    assert frame["amount_cents"].sum() == 20_000
    assert list(frame["line"]) == [1, 2, 3]
    assert [f"{day:%Y-%m-%d}" for day in frame["payment_date"]] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert (frame["total_cents"] == frame["amount_cents"] + frame["fees"]).all()
    assert set(frame["payment_type"]) == {"INSTALLMENT"}


@pytest.mark.parametrize(("fees", "total"), [(5, 105), ("5", 105), ("x", None)])
def test_amounts_as_text_are_added_as_numbers(pledg, monkeypatch, fees, total):
    """Two texts, 100 and 5, are 105 cents, not 1005; what is no number is said to be none."""
    line = {"amount_cents": "100", "fees": fees, "payment_date": "2026-02-28"}
    response = requests.Response()
    response._content = json.dumps({"DEFERRED": line}).encode()
    monkeypatch.setattr(pledg.session, "send", lambda _: response)
    query = pledg.payment_schedule.query(**ASKED)
    if total is None:
        with pytest.raises(MalformedAnswer, match="documented shape"):
            query.frame()
    else:
        assert list(query.frame()["total_cents"]) == [total]


def test_deferred_plan_is_one_row(pledg):
    """The vendor sends a single object in place of a list."""
    deferred = next(
        uid
        for uid in pledg_schedule.merchants(seed=1)
        if pledg.merchant_conditions.get(uid)["payment_type"].lower() == "deferred"
    )
    frame = pledg.payment_schedule.query(**ASKED, merchant_uid=deferred).frame()
    assert list(frame["payment_type"]) == ["DEFERRED"]
    assert list(frame["merchant_uid"]) == [deferred]


def test_company_plans_tell_items_apart(pledg):
    """One plan after another, with their rates."""
    frame = pledg.company_plans.query(**ASKED).frame()
    assert len(frame["item"].unique()) > 1
    assert (frame.groupby("item")["amount_cents"].sum() == 20_000).all()
    assert frame["taeg"].notna().any()


@pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")  # how a threshold is called is not documented
def test_dtypes_are_declared_for_no_rows_too(pledg):
    """The frame contract: the same dtypes for no rows."""
    for query in (pledg.payment_schedule.query(**ASKED), pledg.merchant_conditions.query()):
        names = query.schema.arrow.names
        assert query.frame(limit=0).dtypes[names].to_dict() == query.frame().dtypes[names].to_dict()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"created": "2026-01-31"}, "needs amount_cents"),
        ({"amount_cents": 19.99, "created": "2026-01-31"}, "whole number"),
        ({"amount_cents": 2000, "created": "31/01/2026"}, "YYYY-MM-DD"),
    ],
)
def test_wrong_question_is_refused_before_it_is_sent(pledg, asked, said):
    """Cents are integers: a float has lost some already."""
    with pytest.raises(UsageError, match=said):
        pledg.payment_schedule.query(**asked)


def test_vendors_own_refusal_is_reported(pledg):
    """`error.debug` is what Pledg says."""
    with pytest.raises(InvalidRequest) as caught:
        pledg.payment_schedule.query(amount_cents=10**15, created="2026-01-31").frame()
    assert caught.value.vendor_message
    with pytest.raises(NotFound):
        pledg.payment_schedule.query(**ASKED, merchant_uid="mer_nobody").frame()


def notification_log(pledg) -> tuple[list[str], list[str]]:
    """The mock server's log of notifications, with what each is."""
    answer = pledg.get("/api/local/notifications", params={"count": 40}, auth=None).json()
    return answer["notifications"], answer["kinds"]


def test_log_of_notifications_is_reported_genuine_from_forged(pledg):
    """One row each; what is not verified says why, what came twice is marked."""
    bodies, kinds = notification_log(pledg)
    frame = pledg.notifications.frame(bodies)
    bad = ("forged", "unsigned", "truncated", "alg-none")
    assert list(frame["verified"]) == [not kind.startswith(bad) for kind in kinds]
    assert frame.loc[~frame["verified"], "why"].notna().all()
    assert frame.loc[[kind == "replayed-transfer" for kind in kinds], "repeated"].all()
    assert frame.loc[frame["verified"], "reference"].notna().all()
    unreadable = [kind == "truncated-body" for kind in kinds]
    assert any(unreadable)
    assert list(frame["kind"] == "unreadable") == unreadable
    assert pledg.notifications.frame([]).dtypes["amount_cents"] == frame.dtypes["amount_cents"]


@pytest.mark.parametrize("value", ["NaN", "1e999", "[" * 3000 + "]" * 3000, "[" * 200 + "]" * 200])
def test_one_body_at_fault_does_not_hide_the_others(pledg, value):
    """Whoever can post to the merchant's address could blind the log; so could an unsigned field of a genuine body."""
    bodies, kinds = notification_log(pledg)
    genuine = json.loads(bodies[next(i for i, kind in enumerate(kinds) if kind.startswith("back"))])
    added = {**genuine, "added": float("nan")}
    others = [f'{{"amount_cents": {value}}}', added, None, {"at": object()}, {1: 1, "1": 1}]
    frame = pledg.notifications.frame([genuine, *others])
    assert list(frame["verified"]) == [True, *[False] * 5]
    assert list(frame["kind"]) == ["back", *["unreadable"] * 5]


def test_one_notification_is_verified_or_refused(pledg):
    """An unsigned body is refused because a secret is set."""
    bodies, kinds = notification_log(pledg)
    genuine = pledg.notifications.verify(bodies[kinds.index("transfer")])
    assert genuine["amount_cents"] > 0
    for kind in ("forged-back", "unsigned-transfer", "forged-jwt", "alg-none"):
        with pytest.raises(SignatureInvalid):
            pledg.notifications.verify(bodies[kinds.index(kind)])


def test_signed_claims_verify_with_the_merchants_secret(pledg, vendors):
    """S1: HS256 over the claims, with a validity where one is asked for."""
    secret = vendors["pledg"].credentials["PLEDG_MERCHANT_SECRET"]
    claims = {"data": {"title": "STAY IN LONDON", "amountCents": 30_550}}
    assert verify_jwt(pledg.sign(claims), secret) == claims
    dated = verify_jwt(pledg.sign(claims, expires_in=60), secret)
    assert dated["exp"] - dated["iat"] == 60


def purchase(pledg, reference: str) -> dict[str, object]:
    """The settings of a purchase."""
    return {
        "merchantUid": pledg.settings.get("PLEDG_MERCHANT_UID"),
        "title": "STAY IN LONDON",
        "reference": reference,
        "amountCents": 2000,
        "email": "buyer@example.com",
        "firstName": "Jane",
        "lastName": "Doe",
    }


def test_purchase_url_is_accepted_by_the_vendor_and_a_forged_one_is_not(pledg):
    """The mock server's page verifies with code of its own."""
    url = pledg.purchase_url(purchase(pledg, "r-0"), expires_in=3600)
    assert "verified" in pledg.get(url, auth=None).text
    assert "/purchase?" in pledg.purchase_url({**purchase(pledg, "r-0"), "companyUid": None})
    with pytest.raises(InvalidRequest):
        pledg.get(url[:-2], auth=None)


def test_purchase_link_needs_a_writable_client(pledg, writable):
    """It creates a purchase."""
    data = purchase(pledg, "r-1")
    with pytest.raises(NotAllowed, match="writable=True"):
        pledg.purchase_link(data)
    assert writable.purchase_link(data, link={"email": "buyer@example.com", "send_email": False})


def test_refund_is_sent_once_and_checked_first(pledg, writable, vendors):
    """A positive whole number of cents; never repeated, even when the answer is lost."""
    bodies, kinds = notification_log(pledg)
    genuine = pledg.notifications.verify(bodies[kinds.index("transfer")])
    with pytest.raises(NotAllowed):
        pledg.refund(genuine["purchase_uid"], 100)
    for amount in (0, -1, 1.5, True):
        with pytest.raises(UsageError):
            writable.refund(genuine["purchase_uid"], amount)
    assert isinstance(writable.refund(genuine["purchase_uid"], 100), dict)
    vendors["pledg"].clear_log()
    vendors["pledg"].set(fail_next=["drop"])
    with pytest.raises(VendorUnavailable):
        writable.refund(genuine["purchase_uid"], 100)
    assert len([entry for entry in vendors["pledg"].log() if entry["path"].endswith("credit_by_transfer")]) == 1


def test_raw_call_chooses_its_scheme(pledg, vendors):
    """The three types of authentication; the server's simulation takes the token only."""
    path = f"/api/merchants/{pledg.settings.get('PLEDG_MERCHANT_UID')}/simulate_payment_schedule"
    assert pledg.post(path, json=ASKED, auth="token").ok
    for scheme in ("basic", None):
        with pytest.raises(CredentialsRefused):
            pledg.post(path, json=ASKED, auth=scheme)
    schemes = [entry["scheme"] for entry in vendors["pledg"].log() if entry["path"] == path]
    assert [str(scheme).lower() for scheme in schemes] == ["bearer", "basic", "none"]
    with pytest.raises(UsageError, match="no authentication scheme"):
        pledg.post(path, json=ASKED, auth="digest")


@pytest.mark.parametrize(
    "path",
    [
        *("/api/purchases?x={}", "/api/purchases#{}", "/api/purchases/pur_1{}", "/api{}", "{}"),
        *("/api/merchants/a/b{}", "/api/merchants/a/..{}", "/api/merchants/%2e%2e{}", "/api/merchants/a%2fb{}"),
        *("/api/users/me/merchants{}", "/api/users/me/merchants//{}", "/api/users/you/merchants/mer_1{}"),
        *("/api/merchants/mer_1{}/", "/api//merchants/mer_1{}", "/API/merchants/mer_1{}", "/api/merchants/mer_1{};x"),
        *("/api/companies/com_1{}", "/api/merchants/mer_1{}%2f..", "/api/merchants/mer_1{}/../credit"),
    ],
)
def test_a_path_that_is_only_like_a_simulation_is_not_sent(pledg, vendors, path):
    """The paths that simulate are known, with one identifier in them."""
    with pytest.raises(NotAllowed, match="writable=True"):
        pledg.post(path.format("/simulate_payment_schedule"), json=ASKED, auth=None)
    assert vendors["pledg"].requests == 0


def test_missing_settings_of_a_scheme_are_named_when_it_is_used(monkeypatch):
    """Plans need no key; the token does."""
    monkeypatch.setenv("PLEDG_MERCHANT_UID", "mer_x")
    client = vk.connect("pledg", environment="staging")
    with pytest.raises(SettingsError, match="PLEDG_API_KEY, PLEDG_API_SECRET"):
        client.get("/api/x", auth="token")
    with pytest.raises(SettingsError, match="PLEDG_DASHBOARD_EMAIL, PLEDG_DASHBOARD_PASSWORD"):
        client.get("/api/x", auth="basic")
    with pytest.raises(SettingsError, match="PLEDG_MERCHANT_SECRET"):
        client.sign({"data": {}})


def test_many_threads_on_an_expired_token_ask_for_one(vendors):
    """32 threads, one token request; and again after it expired."""
    client = vk.connect("pledg", environment="local")
    path = f"/api/merchants/{client.settings.get('PLEDG_MERCHANT_UID')}/simulate_payment_schedule"

    def ask(_: int) -> int:
        return client.post(path, json=ASKED, auth="token").status_code

    vendors["pledg"].clear_log()
    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(ask, range(64))) == {200}
    assert [entry["path"] for entry in vendors["pledg"].log()].count("/api/token") == 1
    vendors["pledg"].expire_now()
    vendors["pledg"].clear_log()
    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(ask, range(64))) == {200}
    assert [entry["path"] for entry in vendors["pledg"].log()].count("/api/token") == 1


def test_tokens_of_every_shape_are_taken_or_refused(vendors):
    """A09 to A17: what popular clients keep for ever or crash on."""
    path = "/api/merchants/{}/simulate_payment_schedule"
    for variant, good in (("missing", True), ("null", True), ("number-text", True), ("float-text", True),
                         ("zero", False), ("negative", False), ("text", False), ("html", False), ("list", False),
                         ("empty", False), ("mac", False), ("redirect", False)):  # fmt: skip
        vendors["pledg"].set(token_answer=variant)
        client = vk.connect("pledg", environment="local")
        call = lambda client=client: client.post(  # noqa: E731
            path.format(client.settings.get("PLEDG_MERCHANT_UID")), json=ASKED, auth="token"
        )
        if good:
            with pytest.warns(UserWarning, match="600") if variant in ("missing", "null") else nothing():
                assert call().ok, variant
        else:
            with pytest.raises(vk.errors.VendorkitError):
                call()


def nothing():
    """A context in which nothing is expected."""
    import contextlib

    return contextlib.nullcontext()


def test_settings_and_client_show_no_secret(pledg, vendors):
    """Repr of the client, its settings, its session and its schemes."""
    shown = " ".join(repr(x) for x in (pledg, pledg.settings, pledg.session, pledg.session.schemes, vars(pledg)))
    for name, value in vendors["pledg"].credentials.items():
        if not name.endswith("_UID"):
            assert value not in shown, name
    with pytest.raises(TypeError):
        json.dumps(pledg.settings.values["PLEDG_API_SECRET"])


@pytest.mark.parametrize(
    "form", [str, str.encode, lambda text: bytearray(text.encode()), lambda text: memoryview(text.encode())]
)
def test_one_notification_is_one_row(pledg, form):
    """A text is no list of its characters, nor are bytes of any kind one of numbers; also inside of a list."""
    body = form('{"reference": "A-1"}')
    for bodies in (body, [body]):
        assert pledg.notifications.frame(bodies)["reference"].tolist() == ["A-1"]


def test_rates_are_next_to_a_plan_or_missing(pledg, vendors):
    """Taeg and debit_rate as the newest page has them; without them the plan is the same."""
    query = pledg.payment_schedule.query(amount_cents=20_000, created="2026-01-31")
    with_rates = query.frame()
    assert (with_rates["taeg"] > with_rates["debit_rate"]).all()
    vendors["pledg"].set(simulation_rates=False)
    without = query.frame()
    assert without[["taeg", "debit_rate"]].isna().all(axis=None)
    rest = [name for name in without.columns if name not in ("taeg", "debit_rate")]
    pd.testing.assert_frame_equal(with_rates[rest], without[rest])


def test_the_servers_simulation_is_signed_by_the_token(pledg, vendors):
    """The rows of the browser's simulation, by the path of the documents."""
    asked = {"amount_cents": 50_000, "created": "2020-01-01", "second_installment_date": "2020-03-15"}
    vendors["pledg"].clear_log()
    frame = pledg.server_payment_schedule.query(**asked).frame()
    pd.testing.assert_frame_equal(frame, pledg.payment_schedule.query(**asked).frame())
    assert [str(entry["scheme"]).lower() for entry in vendors["pledg"].log()] == ["basic", "bearer", "none"]
    assert frame["payment_date"].astype("string").tolist()[:2] == ["2020-01-01", "2020-03-15"]


def purchase_of_the_log(client):
    """The uid of a purchase that the mock server knows."""
    answer = client.get("/api/local/notifications", params={"count": 20}, auth=None).json()
    return client.notifications.verify(answer["notifications"][answer["kinds"].index("transfer")])["purchase_uid"]


@pytest.mark.parametrize(("kept", "scheme"), [("API", "bearer"), ("DASHBOARD", "basic")])
def test_refunds_are_signed_by_the_token_or_the_dashboards_credentials(writable, vendors, kept, scheme):
    """Both are accepted; a refusal is a plain text or JSON, and its words arrive."""
    vendor = vendors["pledg"]
    pairs = {name: value for name, value in vendor.credentials.items() if kept in name or "MERCHANT" in name}
    values = {name: Secret(value) for name, value in pairs.items()}
    client = Pledg(writable.endpoint, Settings(values, dict.fromkeys(values, "given")), writable=True)
    uid = purchase_of_the_log(writable)
    vendor.clear_log()
    assert client.refund(uid, 1)
    assert str(vendor.log()[-1]["scheme"]).lower() == scheme
    for form in ("text", "json"):
        vendor.set(refund_errors=form)
        with pytest.raises(InvalidRequest, match="can be refunded"):
            client.refund(uid, 10**9)
    vendor.set(refund_answer="empty")
    assert client.refund(uid, 1) == {}


def test_answers_that_no_page_shows_are_taken_in_every_form(writable, vendors):
    """A purchase link as one of two objects or nothing; thresholds under another name."""
    settings = {
        "merchantUid": writable.settings.get("PLEDG_MERCHANT_UID"), "amountCents": 5_000, "email": "a@shop.example",
        "firstName": "A", "lastName": "B", "title": "T", "reference": "R-1",
    }  # fmt: skip
    found = {}
    for form in ("link", "url", "empty"):
        vendors["pledg"].set(link_answer=form)
        found[form] = sorted(writable.purchase_link(settings))
    assert found == {"link": ["purchase_link", "uid"], "url": ["url"], "empty": []}
    vendors["pledg"].set(threshold_name="min_amount_cents")
    with pytest.warns(SchemaDrift, match="min_amount_cents"):
        assert len(writable.merchant_conditions.query().frame()) == 1


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", b""]
)
def test_a_refund_of_unknown_outcome_is_not_to_be_repeated_blindly(reply):
    """A page says only that 200 is success; without a response, the money may have been paid as well."""
    token = b'{"access_token": "made-up", "token_type": "Bearer", "expires_in": 600}'

    def handle(sock, head):
        sock.sendall(answer(token) if b"/api/token" in head[:40] else reply)
        sock.close() if not reply and b"/api/token" not in head[:40] else None

    with raw_server(handle) as server:
        client = client_of(server, "pledg")
        client.writable = True
        with pytest.raises((MalformedAnswer, VendorUnavailable), match="But first check in the dashboard") as caught:
            client.refund("pur_1", 5)
        assert caught.value.remedy in str(caught.value)


@pytest.mark.parametrize("spaces", ["", "\r\n "])
def test_an_error_is_one_whatever_the_status_says(spaces):
    """A refund that is refused with HTTP 200 did not happen: the vendor's own modules look for `error` alone."""
    body = f'{spaces}{{{spaces}"error": {{"type": "payment_refused", "debug": "The purchase is too old"}}}}'.encode()
    token = b'{"access_token": "made-up", "token_type": "Bearer", "expires_in": 600}'

    def handle(sock, head):
        sock.sendall(answer(token if b"/api/token" in head else body, JSON))

    with raw_server(handle) as server:
        client = client_of(server, "pledg", Policy(read_timeout_s=5, deadline_s=20, attempts=2))
        client.writable = True
        for call in (
            lambda: client.refund("pur_1", 100),
            lambda: client.purchase_link({"merchantUid": "mer_1", "amountCents": 100}),
            lambda: client.merchant_conditions.query(merchant_uid="mer_1").frame(),
            lambda: client.payment_schedule.query(merchant_uid="mer_1", amount_cents=1, created="2026-01-01").frame(),
            lambda: client.get("/api/merchants/mer_1", auth=None),
        ):
            with pytest.raises(InvalidRequest, match="The purchase is too old") as caught:
                call()
            assert (caught.value.status, caught.value.vendor_code) == (200, "payment_refused")
        assert sum(b"credit_by_transfer" in head for head in server.heads) == 1
