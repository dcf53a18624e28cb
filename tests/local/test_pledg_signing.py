"""Signatures, purchases, refunds and notifications of the Pledg mock server, checked with PyJWT."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections import Counter
from pathlib import Path

import jwt
import pytest

from vendorkit.local.pledg import schedule as pledg_schedule
from vendorkit.local.pledg import signing as pledg_signing

VECTORS = Path(__file__).parents[1] / "vectors" / "pledg_signatures.json"
SETTINGS = {"title": "Stay in London", "reference": "order_123", "amountCents": 30_550, "email": "jane.doe@example.com"}


@pytest.fixture
def client(pledg_client):
    """Return an httpx client without credentials."""
    return pledg_client


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries *token*."""
    return {"Authorization": f"Bearer {token}"}


def sign(pledg, claims, secret=None) -> str:
    """Sign *claims* with PyJWT, which the server does not use."""
    return jwt.encode(claims, secret or pledg.credentials["PLEDG_MERCHANT_SECRET"], algorithm="HS256")


def signed_settings(pledg, **changes) -> dict[str, dict]:
    """Return the claims of a purchase."""
    return {"data": {"merchantUid": pledg.credentials["PLEDG_MERCHANT_UID"], **SETTINGS, **changes}}


@pytest.mark.parametrize("path", ["/api/purchase_link/", "/api/purchase_link"])
def test_a_signed_purchase_gets_a_link_that_leads_to_its_page(pledg, client, path):
    """The claims of the documents' example, signed by PyJWT as the documents do it."""
    claims = signed_settings(pledg) | {"purchase_link_settings": {"email": "buyer@example.com", "send_email": True}}
    answer = client.post(path, params={"signature": sign(pledg, claims)}).json()
    assert answer["uid"].startswith("pur_")
    page = client.get(answer["purchase_link"])
    assert page.status_code == 200
    assert "305.50 EUR" in page.text


def test_purchase_pages_say_whether_the_signature_holds(pledg, client):
    """Both pages for buyers accept it, for a merchant and for a company."""
    company = {"data": {"companyUid": pledg.credentials["PLEDG_COMPANY_UID"], "currency": "EUR", **SETTINGS}}
    good = [("/purchase", signed_settings(pledg)), ("/payment_solutions", company)]
    for path, claims in good:
        page = client.get(path, params={"signature": sign(pledg, claims | {"exp": int(time.time()) + 60})})
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "signature verified" in page.text
        page = client.get(path, params={"signature": sign(pledg, claims, "another secret of forty letters and digits")})
        assert page.status_code == 400
        assert "signature not verified" in page.text


def test_signatures_that_do_not_hold_are_refused(pledg, client):
    """Changed, cut, unsigned, expired, with another algorithm, without data, or absent: 400 and no purchase."""
    claims = signed_settings(pledg)
    secret = pledg.credentials["PLEDG_MERCHANT_SECRET"]
    good = sign(pledg, claims)
    head, _, signature = good.split(".")
    changed = base64.urlsafe_b64encode(json.dumps(signed_settings(pledg, amountCents=1)).encode()).rstrip(b"=").decode()
    wrong = {
        "changed": f"{head}.{changed}.{signature}",
        "cut": good[:-1],
        "unsigned": jwt.encode(claims, None, algorithm="none"),
        "expired": sign(pledg, claims | {"exp": int(time.time()) - 60}),
        "algorithm": jwt.encode(claims, secret + secret, algorithm="HS512"),
        "no data": sign(pledg, claims["data"]),
        "not a token": "x.y.z",
        "absent": "",
    }
    for name, token in wrong.items():
        answer = client.post("/api/purchase_link/", params={"signature": token})
        assert answer.status_code == 400, name
        assert "uid" not in answer.json()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"amountCents": "30550"}, "amountCents"),
        ({"amountCents": 1_000_001}, "amountCents"),
        ({"email": "jane"}, "email"),
        ({"reference": ""}, "reference"),
        ({"merchantUid": ["mer_x"]}, "merchantUid"),
        ({"companyUid": "cmp_x"}, "currency"),
    ],
)
def test_signed_settings_that_are_wrong_are_named(pledg, client, changes, name):
    """The message has the form of the vendor's example."""
    answer = client.post("/api/purchase_link/", params={"signature": sign(pledg, signed_settings(pledg, **changes))})
    assert answer.json()["error"]["message"] == f"The provided property {name} is invalid"


def test_unsigned_purchases_pass_where_the_account_allows_them(pledg, client):
    """The account's option applies to pages. A purchase link always needs its signature."""
    assert client.get("/purchase", params={"reference": "order_1"}).status_code == 400
    pledg.set(signature_required=False)
    assert "unsigned request accepted" in client.get("/purchase", params={"reference": "<b>"}).text
    assert "<b>" not in client.get("/purchase", params={"reference": "<b>"}).text
    assert client.post("/api/purchase_link/").status_code == 400


def test_a_refund_keeps_within_the_purchase(pledg, client, ask_token):
    """Parts up to the whole; more, nothing, less than nothing, a wrong type or an unknown purchase are refused."""
    link = client.post("/api/purchase_link/", params={"signature": sign(pledg, signed_settings(pledg))}).json()
    path = f"/api/purchases/{link['uid']}/credit_by_transfer"
    headers = bearer(ask_token().json()["access_token"])
    assert client.post(path, json={"amount_cents": 1}).status_code == 401
    for amount in (0, -1, 30_551, "100", 1.5, None):
        assert client.post(path, json={"amount_cents": amount}, headers=headers).status_code == 400
    assert client.post(path, json={"amount_cents": 30_000}, headers=headers).status_code == 200
    assert client.post(path, json={"amount_cents": 551}, headers=headers).status_code == 400
    assert client.post(path, json={"amount_cents": 550}, headers=headers).status_code == 200
    unknown = path.replace(link["uid"], "pur_00000000-0000-4000-a000-000000000001")
    assert client.post(unknown, json={"amount_cents": 1}, headers=headers).status_code == 404


@pytest.mark.parametrize("action", ["credit_by_transfer", "release"])
def test_a_refund_that_is_not_possible_is_explained_in_a_raw_text(pledg, client, action):
    """4xx with plain text, as the vendor's page says, of an unknown purchase too; JSON if the switch says so."""
    dashboard = (pledg.credentials["PLEDG_DASHBOARD_EMAIL"], pledg.credentials["PLEDG_DASHBOARD_PASSWORD"])
    path = f"/api/purchases/pur_00000000-0000-4000-a000-000000000001/{action}"
    for form, kind in (("json", "application/json"), ("text", "text/plain")):
        pledg.set(refund_errors=form)
        answer = client.post(path, json={"amount_cents": 1}, auth=dashboard)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, kind)
        assert "no such purchase" in answer.text


@pytest.mark.parametrize(("form", "index"), [("empty", 1), ("json", 2)])
def test_a_release_happens_once_and_its_inferred_body_has_a_switch(pledg, client, form, index):
    """Dashboard credentials are accepted as well."""
    uid = pledg_schedule.uid("pur", 1, index)  # of a notification
    pledg.set(release_answer=form)
    dashboard = (pledg.credentials["PLEDG_DASHBOARD_EMAIL"], pledg.credentials["PLEDG_DASHBOARD_PASSWORD"])
    first = client.post(f"/api/purchases/{uid}/release", auth=dashboard)
    assert (first.status_code, uid in first.text) == (200, form == "json")
    assert client.post(f"/api/purchases/{uid}/release", auth=dashboard).status_code == 400


def test_published_vectors_reproduce():
    """The vendor's published notifications, to the last character, by the computation of the mock server."""
    vectors = json.loads(VECTORS.read_text())
    for vector in vectors["back_notifications"]:
        assert pledg_signing.back_signature(vector["body"], vector["secret"]) == vector["body"]["signature"]
    for vector in vectors["jwt_notifications"]:
        token = vector["body"]["signature"]
        assert pledg_signing.jwt(pledg_signing.read_jwt(token, vector["secret"]), vector["secret"]) == token


def test_the_notification_log_repeats_and_grows(client):
    """Equal calls are equal, and a longer log starts with the shorter one; an impossible count is refused."""
    short, again, long = (client.get("/api/local/notifications", params={"count": n}).json() for n in (40, 40, 200))
    assert short == again
    assert long["notifications"][:40] == short["notifications"]
    assert set(short["kinds"]) == set(pledg_signing.KINDS)
    assert client.get("/api/local/notifications", params={"count": "-1"}).status_code == 400


def test_genuine_and_other_notifications_are_what_they_are_said_to_be(pledg, client):
    """Each is checked by the documents' rules, which this test implements independently."""
    secret = pledg.credentials["PLEDG_MERCHANT_SECRET"]

    def verdict(text):
        try:
            body = json.loads(text)
        except ValueError:
            return "unreadable"
        if "signature" not in body:
            return "unsigned"
        if body.keys() == {"signature"}:
            signed, _, given = body["signature"].rpartition(".")
            mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
            return "good" if base64.urlsafe_b64encode(mac).rstrip(b"=").decode() == given else "bad"
        keys = ("created_at", "error", "id", "reference", "sandbox", "status")
        values = {key: "true" if body[key] is True else body[key] for key in keys}
        joined = secret.join(f"{key}={values[key]}" for key in keys)
        return "good" if hashlib.sha256(joined.encode()).hexdigest().upper() == body["signature"] else "bad"

    answer = client.get("/api/local/notifications", params={"count": 100}).json()
    verdicts = {kind: set() for kind in answer["kinds"]}
    for kind, text in zip(answer["kinds"], answer["notifications"], strict=True):
        verdicts[kind].add(verdict(text))
    good = ("back-text", "back-bool", "transfer", "error-old", "error-new", "replayed-transfer")
    bad = ("forged-back", "forged-jwt", "truncated-jwt", "alg-none")
    assert verdicts == {
        **{kind: {"good"} for kind in good},
        **{kind: {"bad"} for kind in bad},
        "unsigned-transfer": {"unsigned"},
        "truncated-body": {"unreadable"},
    }
    counted = Counter(answer["notifications"])
    replayed = [text for kind, text in zip(answer["kinds"], answer["notifications"], strict=True) if "replayed" in kind]
    assert sorted(text for text, times in counted.items() if times == 2) == sorted(replayed)


def test_a_purchase_of_the_log_can_be_refunded(pledg, client, ask_token):
    """The uid and amount of a transfer notification are known to the refund endpoint."""
    answer = client.get("/api/local/notifications", params={"count": 60}).json()
    # The last one: other tests refund the first.
    last = max(number for number, kind in enumerate(answer["kinds"]) if kind == "transfer")
    token = json.loads(answer["notifications"][last])["signature"]
    claims = jwt.decode(token, pledg.credentials["PLEDG_MERCHANT_SECRET"], algorithms=["HS256"])
    headers = bearer(ask_token().json()["access_token"])
    path = f"/api/purchases/{claims['purchase_uid']}/credit_by_transfer"
    assert client.post(path, json={"amount_cents": claims["amount_cents"] + 1}, headers=headers).status_code == 400
    assert client.post(path, json={"amount_cents": claims["amount_cents"]}, headers=headers).status_code == 200
