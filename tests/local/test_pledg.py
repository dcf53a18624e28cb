"""Tokens and simulations of the Pledg mock server against the vendor's documents: commands and printed examples."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest

from vendorkit.local.pledg import schedule as pledg_schedule


@pytest.fixture
def client(pledg_client):
    """Return an httpx client without credentials."""
    return pledg_client


@pytest.fixture(scope="module")
def merchants():
    """Return the merchants of seed 1, in order."""
    return list(pledg_schedule.merchants(1).values())


def key_pair(pledg) -> tuple[str, str]:
    """Return API key and secret."""
    return pledg.credentials["PLEDG_API_KEY"], pledg.credentials["PLEDG_API_SECRET"]


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries *token*."""
    return {"Authorization": f"Bearer {token}"}


def simulate(client, merchant, body, **options):
    """Ask for a merchant's schedule."""
    return client.post(f"/api/users/me/merchants/{merchant.uid}/simulate_payment_schedule", json=body, **options)


def test_the_command_line_of_the_vendors_page_gets_a_token(pledg):
    """The page's curl command, with key and secret in the environment of a shell."""
    key, secret = key_pair(pledg)
    line = """curl -sS --cacert "$CA" -X POST "$API_URL/api/token" \
        -H "Content-Type: application/x-www-form-urlencoded" \
        -H "Authorization: Basic $(echo -n $KEY:$SECRET | base64 -w0)" \
        -d "grant_type=client_credentials" """
    environment = {
        "CA": pledg.ca_path,
        "API_URL": pledg.base_url,
        "KEY": key,
        "SECRET": secret,
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True, timeout=20)
    answer = json.loads(done.stdout)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 600)
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", answer["access_token"])


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"auth": ("key", "wrong")}, 401, "invalid_client"),
        ({"auth": None}, 401, "invalid_client"),
        ({"data": {"grant_type": "password"}}, 400, "unsupported_grant_type"),
        ({"data": {}, "content": b"grant_type=client_credentials"}, 400, "invalid_request"),
    ],
)
def test_token_requests_that_are_wrong_are_refused(changes, status, error, ask_token):
    """RFC 6749 5.2: the error's name and status, and no token."""
    answer = ask_token(**changes)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_the_content_type_of_a_token_request_is_read_without_regard_to_case(ask_token):
    """RFC 9110 8.3.1."""
    headers = {"Content-Type": "Application/X-WWW-Form-Urlencoded; Charset=UTF-8"}
    assert ask_token(headers=headers).status_code == 200


def test_a_token_holds_until_it_expires(pledg, client, merchants, ask_token):
    """A token is accepted on a protected path, but not after its lifetime, after expire_now() or when changed."""
    path = f"/api/merchants/{merchants[0].uid}/simulate_payment_schedule"
    body = {"amount_cents": 200, "created": "2021-12-17"}

    def status(token):
        return client.post(path, json=body, headers=bearer(token)).status_code

    token = ask_token().json()["access_token"]
    assert status(token) == 200
    assert status(token[:-2] + ("AA" if token[-2:] != "AA" else "BB")) == 401
    pledg.expire_now()
    assert status(token) == 401
    pledg.set(token_lifetime_s=0.5)
    answer = ask_token().json()
    asked_at = time.monotonic()
    assert answer["expires_in"] == 0.5
    assert status(answer["access_token"]) == 200
    while time.monotonic() < asked_at + 0.6:
        time.sleep(0.05)
    assert status(answer["access_token"]) == 401


def test_each_protected_path_takes_its_schemes(pledg, client, merchants, ask_token):
    """Protected simulations accept only tokens, refunds also the dashboard's credentials. The key pair is refused."""
    simulate_path = f"/api/merchants/{merchants[0].uid}/simulate_payment_schedule"
    refund_path = f"/api/purchases/{pledg_schedule.uid('pur', 1, 3)}/credit_by_transfer"
    body = {"amount_cents": 200, "created": "2021-12-17"}
    dashboard = (pledg.credentials["PLEDG_DASHBOARD_EMAIL"], pledg.credentials["PLEDG_DASHBOARD_PASSWORD"])
    token = bearer(ask_token().json()["access_token"])
    answer = client.post(simulate_path, json=body, headers=token)
    assert answer.json() == simulate(client, merchants[0], body).json()
    assert "access-control-allow-origin" not in answer.headers
    assert client.post(simulate_path, json=body, auth=dashboard).status_code == 401
    for given in ({"headers": token}, {"auth": dashboard}):
        assert client.post(refund_path, json={"amount_cents": 1}, **given).status_code == 200
    for auth in (None, key_pair(pledg)):
        refused = client.post(refund_path, json={"amount_cents": 1}, auth=auth)
        assert refused.status_code == 401
        assert "debug" in refused.json()["error"]
        schemes = [value.split()[0] for value in refused.headers.get_list("WWW-Authenticate")]
        assert schemes == ["Bearer", "Basic"]


@pytest.mark.parametrize(
    ("variant", "field", "value"),
    [
        ("null", "expires_in", None),
        ("zero", "expires_in", 0),
        ("negative", "expires_in", -600),
        ("text", "expires_in", "soon"),
        ("number-text", "expires_in", "600"),
        ("float-text", "expires_in", "600.5"),
        ("empty", "access_token", ""),
        ("mac", "token_type", "MAC"),
    ],
)
def test_odd_fields_of_token_answers(pledg, variant, field, value, ask_token):
    """Each variant changes one field of the answer."""
    normal = ask_token().json()
    pledg.set(token_answer=variant)
    odd = ask_token().json()
    assert odd[field] == value
    assert odd.keys() == normal.keys()


def test_odd_forms_of_token_answers(pledg, ask_token):
    """A missing field, a list, HTML at 200, a redirect to another origin."""
    pledg.set(token_answer="missing")
    assert "expires_in" not in ask_token().json()
    pledg.set(token_answer="list")
    assert isinstance(ask_token().json(), list)
    pledg.set(token_answer="html")
    html = ask_token()
    assert (html.status_code, html.headers["content-type"].split(";")[0]) == (200, "text/html")
    pledg.set(token_answer="redirect")
    redirect = ask_token()
    assert redirect.status_code == 307
    assert redirect.headers["location"] == pledg.base_url.replace("127.0.0.1", "localhost") + "/api/token"


def test_the_documented_schedule_is_reproduced(client, merchants):
    """The page's example: 200 cents in three on 17 December 2021, 1 % fees, to the cent and the day; then the rates."""
    answer = simulate(client, merchants[0], {"amount_cents": 200, "created": "2021-12-17"})
    assert set(answer.json()) == {"INSTALLMENT", "taeg", "debit_rate"}
    assert {"INSTALLMENT": answer.json()["INSTALLMENT"]} == {
        "INSTALLMENT": [
            {"amount_cents": 68, "fees": 2, "payment_date": "2021-12-17"},
            {"amount_cents": 66, "fees": 0, "payment_date": "2022-01-17"},
            {"amount_cents": 66, "fees": 0, "payment_date": "2022-02-17"},
        ]
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("owner", ["merchants", "companies"])
def test_a_browser_may_ask_before_it_sends_json(client, owner):
    """Open CORS (4.1): a page of a shop sends a preflight first; the server's endpoint answers none."""
    page = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    headers = {**page, "Access-Control-Request-Headers": "content-type"}
    answer = client.options(f"/api/users/me/{owner}/mer_1/simulate_payment_schedule", headers=headers)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert (answer.headers["Access-Control-Allow-Methods"], answer.headers["Access-Control-Allow-Headers"]) == (
        "POST",
        "*",
    )
    closed = client.options("/api/merchants/mer_1/simulate_payment_schedule", headers=headers)
    assert (closed.status_code, "Access-Control-Allow-Origin" in closed.headers) == (405, False)


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 5_000, '{"amount_cents": 1e2, "created": "2026-01-01"}'])
def test_a_simulation_of_what_is_no_object_is_refused(client, merchants, body):
    """400 in the vendor's format."""
    answer = simulate(client, merchants[0], None, content=body)
    assert (answer.status_code, "is invalid" in answer.json()["error"]["debug"]) == (400, True)


def test_deferred_payment_is_one_object(client, merchants):
    """The answer is one payment after thirty days, not a list."""
    answer = simulate(client, merchants[2], {"amount_cents": 100, "created": "2022-01-03"})
    assert answer.json() == {"DEFERRED": {"amount_cents": 100, "fees": 0, "payment_date": "2022-02-02"}}


def test_months_without_that_day_end_earlier(client, merchants):
    """31 January, then the last of February, then 31 March again."""
    lines = simulate(client, merchants[0], {"amount_cents": 20_000, "created": "2026-01-31"}).json()["INSTALLMENT"]
    assert [line["payment_date"] for line in lines] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert [line["amount_cents"] for line in lines] == [6668, 6666, 6666]


def test_a_late_second_payment_merges_what_passes_a_year():
    """The documents' example: 500 euros in five from 2020-01-01, the second on 2020-11-15."""
    merchant = pledg_schedule.Merchant("mer_x", "INSTALLMENT", 5, None, ((0, 0.0),))
    day = pledg_schedule.dt.date.fromisoformat
    lines = pledg_schedule.schedule(merchant, 50_000, day("2020-01-01"), day("2020-11-15"))["INSTALLMENT"]
    expected = [("2020-01-01", 10_000), ("2020-11-15", 10_000), ("2020-12-15", 30_000)]
    assert [(line["payment_date"], line["amount_cents"]) for line in lines] == expected
    ignored = pledg_schedule.schedule(merchant, 50_000, day("2020-01-01"), day("2019-12-31"))["INSTALLMENT"]
    assert [line["payment_date"] for line in ignored][1:] == ["2020-02-01", "2020-03-01", "2020-04-01", "2020-05-01"]


def test_shares_add_up_and_fees_follow_the_threshold(client, merchants):
    """The shares of any amount add up to it, and all fees are in the first payment."""
    for amount, percent in ((1, 2.2), (49_999, 2.2), (50_000, 1.8), (150_001, 1.45)):
        lines = simulate(client, merchants[1], {"amount_cents": amount, "created": "2026-03-01"}).json()["INSTALLMENT"]
        assert sum(line["amount_cents"] for line in lines) == amount
        assert abs(lines[0]["fees"] - amount * percent / 100) <= 0.5
        assert [line["fees"] for line in lines[1:]] == [0, 0, 0]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"created": "2026-01-31"}, "amount_cents"),
        ({"amount_cents": "200", "created": "2026-01-31"}, "amount_cents"),
        ({"amount_cents": 2.5, "created": "2026-01-31"}, "amount_cents"),
        ({"amount_cents": True, "created": "2026-01-31"}, "amount_cents"),
        ({"amount_cents": 0, "created": "2026-01-31"}, "amount_cents"),
        ({"amount_cents": 200}, "created"),
        ({"amount_cents": 200, "created": "31/01/2026"}, "created"),
        ({"created": "amount_cents", "amount_cents": 200}, "created"),
        ({"created": "soon", "amount_cents": "200"}, "amount_cents"),
        ({"amount_cents": 200, "created": "2026-02-30"}, "created"),
        ({"amount_cents": 200, "created": "9999-12-31"}, "created"),
        ({"amount_cents": 200, "created": "2026-01-31", "second_installment_date": "soon"}, "second_installment_date"),
        ([], "amount_cents"),
    ],
)
def test_wrong_simulations_name_the_property(client, merchants, body, name):
    """400 with the vendor's message."""
    answer = simulate(client, merchants[0], body)
    assert answer.status_code == 400
    assert answer.json()["error"]["debug"] == f"The provided property {name} is invalid"


def test_any_content_type_is_read(client, merchants):
    """Some modules send the JSON text without saying that it is JSON."""
    path = f"/api/users/me/merchants/{merchants[0].uid}/simulate_payment_schedule"
    body = b'{"amount_cents": 200, "created": "2021-12-17"}'
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert client.post(path, content=body, headers=headers).status_code == 200


def test_unknown_merchants_and_companies_are_not_found(client, pledg):
    """404, also for a merchant's uid instead of a company's."""
    body = {"amount_cents": 200, "created": "2021-12-17"}
    for path in (
        "/api/users/me/merchants/mer_00000000-0000-4000-a000-000000000001/simulate_payment_schedule",
        f"/api/users/me/companies/{pledg.credentials['PLEDG_MERCHANT_UID']}/simulate_payment_schedule",
    ):
        assert client.post(path, json=body).status_code == 404
    assert client.get("/api/merchants/x").status_code == 404


def test_a_company_answers_all_its_plans(client, pledg):
    """Items of both spellings, with and without rates, which grow with the fees; the amounts add up."""
    path = f"/api/users/me/companies/{pledg.credentials['PLEDG_COMPANY_UID']}/simulate_payment_schedule"
    items = client.post(path, json={"amount_cents": 60_000, "created": "2026-05-05"}).json()["items"]
    assert [sorted(item) for item in items] == [
        ["INSTALLMENT"],
        ["INSTALLMENT", "debit_rate", "taeg"],
        ["debit_rate", "installment", "taeg"],
    ]
    for item in items:
        lines = item.get("INSTALLMENT") or item["installment"]
        assert sum(line["amount_cents"] for line in lines) == 60_000
        assert 0 < item.get("debit_rate", 1) <= item.get("taeg", 1) < 30


def test_the_yearly_rate_makes_the_payments_worth_the_amount(client, pledg):
    """Discounted with the answered rate, the payments are worth the amount to within its rounding."""
    path = f"/api/users/me/companies/{pledg.credentials['PLEDG_COMPANY_UID']}/simulate_payment_schedule"
    item = client.post(path, json={"amount_cents": 60_000, "created": "2026-05-05"}).json()["items"][1]
    first = pledg_schedule.dt.date(2026, 5, 5)
    days = [(pledg_schedule.dt.date.fromisoformat(line["payment_date"]) - first).days for line in item["INSTALLMENT"]]
    paid = [line["amount_cents"] + line["fees"] for line in item["INSTALLMENT"]]
    worth = sum(cents / (1 + item["taeg"] / 100) ** (day / 365) for cents, day in zip(paid, days, strict=True))
    assert worth == pytest.approx(60_000, abs=2)


def test_a_merchant_answers_its_conditions(client, merchants):
    """Type, number, delay and fees, by threshold where there are several."""
    answers = [client.get(f"/api/merchants/{merchant.uid}").json() for merchant in merchants]
    assert [(a["payment_type"], a["installments_nb"], a["delay_in_days"]) for a in answers[:3]] == [
        ("INSTALLMENT", 3, None),
        ("INSTALLMENT", 4, None),
        ("DEFERRED", None, 30),
    ]
    assert [fee["buyer_fees_percent"] for fee in answers[1]["buyer_fees_percents"]] == [2.2, 1.8, 1.45]
    assert all(
        re.fullmatch(r"mer_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", m.uid) for m in merchants
    )


def test_wrong_types_come_by_a_switch(pledg, client, merchants):
    """At rate 1 each amount is a string and each line has an undocumented field."""
    pledg.set(wrong_type_rate=1.0)
    lines = simulate(client, merchants[0], {"amount_cents": 200, "created": "2021-12-17"}).json()["INSTALLMENT"]
    assert [line["amount_cents"] for line in lines] == ["68", "66", "66"]
    assert all("comment" in line for line in lines)


@pytest.mark.parametrize(("rounding", "fees"), [("half_up", (1, 1)), ("down", (0, 1)), ("up", (1, 2))])
def test_fees_with_a_part_of_a_cent_are_rounded_by_a_switch(pledg, client, merchants, rounding, fees):
    """One per cent of 50 and of 149 cents; no document says which way."""
    pledg.set(fees_rounding=rounding)
    path = f"/api/users/me/merchants/{merchants[0].uid}/simulate_payment_schedule"
    answers = [client.post(path, json={"amount_cents": cents, "created": "2026-01-01"}).json() for cents in (50, 149)]
    assert tuple(answer["INSTALLMENT"][0]["fees"] for answer in answers) == fees


def test_errors_may_have_nothing_but_their_debug_text(pledg, client):
    """Only `error.debug` is known; type and message next to it are inferred."""
    whole = client.get("/api/merchants/nope").json()["error"]
    pledg.set(error_body="debug")
    for path in ("/api/merchants/nope", "/nope"):
        assert set(client.get(path).json()["error"]) == {"debug"}
    assert client.get("/api/merchants/nope").json()["error"] == {"debug": whole["debug"]}
    assert set(whole) == {"type", "message", "debug"}
