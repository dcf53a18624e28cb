"""Pledg's signatures, against the vendor's published examples and against forgeries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from auth_servers import walk
from hypothesis import given, settings
from hypothesis import strategies as st

from vendorkit.auth import sign_jwt, verify_jwt, verify_notification
from vendorkit.auth.signature import back_signature
from vendorkit.errors import MalformedAnswer, SignatureInvalid, UsageError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pledg_signatures.json").read_text())
BACK = VECTORS["back_notifications"]
JWTS = VECTORS["jwt_notifications"]
SECRET = "a made-up merchant secret of 40 letters."
KEY = SECRET.encode()


def encoded(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def forge(header, payload, key=KEY, digest=hashlib.sha256):
    """Return a token made by hand, of any header and payload."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{encoded(hmac.new(key, signed.encode(), digest).digest())}"


HS256 = b'{"alg":"HS256","typ":"JWT"}'


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["id"])
def test_requests_are_signed_byte_for_byte(vector):
    """O1 to O3; their key is shorter than PyJWT likes, which is the vendor's choice and no warning."""
    assert sign_jwt(vector["claims"], vector["secret"]) == vector["jwt"]


def test_rfc_7515_example_a_1():
    """The signature of the RFC's own HS256 example; its key is raw bytes, so it is checked by hand."""
    key = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    token = forge(
        b'{"typ":"JWT",\r\n "alg":"HS256"}',
        b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}',
        key=key,
    )
    assert token.endswith(".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")


def test_validity_adds_iat_and_exp():
    """What Pledg's example does with expiresIn; each call is stamped anew (A22)."""
    claims = verify_jwt(
        sign_jwt({"data": {}, "x": 1}, SECRET, expires_in=86_400, now=1_700_000_000.9), SECRET, now=1.7e9
    )
    assert list(claims.items()) == [("data", {}), ("x", 1), ("iat", 1_700_000_000), ("exp", 1_700_086_400)]


@pytest.mark.parametrize(
    ("claims", "secret", "expires_in"),
    [
        ({"data": {}}, "", None),
        ({"data": {}}, None, None),
        ({"data": {}}, "half \ud800 a character", None),
        ({"data": {}}, "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", None),
        ({"data": {}}, SECRET, 0),
        ({"data": {}}, SECRET, -1),
        ({"data": {}}, SECRET, True),
        ({"exp": 1}, SECRET, 60),
        ({"data": float("nan")}, SECRET, None),
        ({"data": object()}, SECRET, None),
    ],
)
def test_what_cannot_be_signed_is_refused_without_an_echo(claims, secret, expires_in):
    """A24: at the call, and typed."""
    with pytest.raises(UsageError) as caught:
        sign_jwt(claims, secret, expires_in=expires_in)
    assert not secret or secret not in walk(caught.value)


def test_a_token_is_valid_until_its_end_and_the_leeway():
    """Both sides of the boundary."""
    token = sign_jwt({"data": {}}, SECRET, expires_in=100, now=1000)
    assert verify_jwt(token, SECRET, now=1159)["exp"] == 1100
    with pytest.raises(SignatureInvalid, match="expired"):
        verify_jwt(token, SECRET, now=1160)
    with pytest.raises(SignatureInvalid, match="expired"):
        verify_jwt(token, SECRET, now=1100, leeway_s=0)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "....",
        None,
        "é.é.é",
        "x" * 2_000_000,
        encoded(b'{"alg":"none"}') + "." + encoded(b'{"a":1}') + ".",
        forge(b'{"alg":"none"}', b'{"a":1}'),
        forge(b'{"alg":"HS512"}', b'{"a":1}', digest=hashlib.sha512),
        forge(b'{"alg":"hs256"}', b'{"a":1}'),
        forge(b"{}", b'{"a":1}'),
        forge(b'{"alg":"HS256","crit":["x"],"x":1}', b'{"a":1}'),
        forge(HS256, b'{"a":1}', key=b"another key"),
        forge(HS256, b"[1]"),
        forge(HS256, b"not json"),
        forge(HS256, b'{"a":1,"a":2}'),
        forge(HS256, b'{"a":NaN}'),
        forge(HS256, b'{"a":1e999}'),
        forge(HS256, b'{"a":' + b"9" * 5000 + b"}"),
        forge(HS256, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        forge(HS256, b'{"exp":"tomorrow"}'),
        forge(HS256, b'{"exp":true}'),
        forge(HS256, b'{"exp":null}'),
        forge(HS256, b'\xff{"a":1}'),
        forge(b"[" * 100_000, b'{"a":1}'),
        forge(HS256, b'{"a":1}')[:-1],
        forge(HS256, b'{"a":1}') + "=",
        forge(HS256, b'{"a":1}').replace(".", ".e30", 1),
    ],
    ids=lambda token: repr(token)[:24],
)
def test_token_that_is_not_valid_gives_no_claims(token):
    """The algorithm is pinned, the form is strict, and there is one typed error."""
    with pytest.raises(SignatureInvalid):
        verify_jwt(token, SECRET)


def test_no_other_last_letter_makes_a_right_signature():
    """Two bits of the last letter carry nothing; a lax reader would take four letters for one."""
    token = JWTS[0]["body"]["signature"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    right = []
    for letter in letters:
        try:
            verify_jwt(token[:-1] + letter, JWTS[0]["secret"])
        except SignatureInvalid:
            continue
        right.append(letter)
    assert right == [token[-1]]


@pytest.mark.parametrize("vector", BACK, ids=lambda vector: vector["id"])
@pytest.mark.parametrize("form", ["dict", "str", "bytes"])
def test_back_notifications_of_the_vendor_are_verified(vector, form):
    """V1 and V2: sandbox as text and as JSON true."""
    text = json.dumps(vector["body"])
    body = {"dict": vector["body"], "str": text, "bytes": text.encode()}[form]
    found = verify_notification(body, vector["secret"])
    assert (found.kind, found.verified) == ("back", True)
    assert found.fields["reference"] == vector["body"]["reference"]
    assert "signature" not in found.fields
    assert found.signed == ("created_at", "error", "id", "reference", "sandbox", "status")


@pytest.mark.parametrize("vector", JWTS, ids=lambda vector: vector["id"])
def test_jwt_notifications_of_the_vendor_are_verified(vector):
    """V4 and V5, and rebuilt from their claims."""
    found = verify_notification(json.dumps(vector["body"]), vector["secret"])
    assert (found.kind, found.verified) == ("jwt", True)
    assert found.fields["reference"] == "purchase_reference"
    assert set(found.signed) == set(found.fields)
    assert sign_jwt(found.fields, vector["secret"]) == vector["body"]["signature"]


def test_unsigned_metadata_is_not_among_the_signed_names():
    """The documented body has metadata and additional_data, which the signature does not cover."""
    body = {**BACK[0]["body"], "metadata": {"foo": "bar"}, "additional_data": {"xx": "yy"}}
    found = verify_notification(body, "SECRET")
    assert found.fields["metadata"] == {"foo": "bar"}
    assert "metadata" not in found.signed


def test_error_null_counts_as_empty():
    """Inferred: the vendor shows only the empty string."""
    assert verify_notification({**BACK[0]["body"], "error": None}, "SECRET").verified


@pytest.mark.parametrize("name", ["created_at", "error", "id", "reference", "sandbox", "status", "signature"])
def test_a_back_notification_changed_anywhere_is_refused(name):
    """Each signed field, and the signature."""
    with pytest.raises(SignatureInvalid, match="signature is wrong"):
        verify_notification({**BACK[0]["body"], name: "other"}, "SECRET")


@pytest.mark.parametrize("name", ["created_at", "error", "id", "reference", "sandbox", "status"])
def test_a_missing_field_is_named(name):
    """Not a KeyError."""
    body = {key: value for key, value in BACK[0]["body"].items() if key != name}
    with pytest.raises(SignatureInvalid, match=f"lacks {name}"):
        verify_notification(body, "SECRET")


@pytest.mark.parametrize(
    "body",
    [
        {**BACK[0]["body"], "signature": BACK[0]["body"]["signature"].lower()},
        {**BACK[0]["body"], "signature": ""},
        {**BACK[0]["body"], "signature": None},
        {**BACK[0]["body"], "signature": "É\ud800"},
        {**BACK[0]["body"], "id": ["test-valid"]},
        {"signature": ["x"]},
        {"signature": "x"},
        {"signature": JWTS[0]["body"]["signature"]},
        {"type": "abandonment", "message": "unsigned"},
        {},
    ],
)
def test_what_is_not_rightly_signed_is_refused_where_there_is_a_secret(body):
    """Also the unsigned body: else a forger would just leave the signature away."""
    with pytest.raises(SignatureInvalid):
        verify_notification(body, "SECRET")


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_an_unsigned_body_is_read_and_called_unverified(secret):
    """Accounts without the signature exist; a signed body is not taken on trust there."""
    found = verify_notification(b'{"type": "abandonment", "message": "m"}', secret)
    assert (found.kind, found.verified, found.signed) == ("unsigned", False, ())
    with pytest.raises(SignatureInvalid, match="no secret"):
        verify_notification(BACK[0]["body"], secret)


def test_the_error_of_a_redirect_has_the_same_form():
    """`pledg_error` of the cancel URL."""
    error = {"error": {"type": "abandonment", "message": "m"}}
    found = verify_notification(json.dumps({"signature": sign_jwt(error, SECRET)}), SECRET)
    assert found.fields == error


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", '"x"', "{", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}', b"\xff\xfe{}",
     '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"a": ' + "9" * 5000 + "}", " " * 2_000_000 + "{}"],
    ids=lambda body: repr(body)[:24],
)  # fmt: skip
@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_body_that_cannot_be_read_is_one_typed_error(body, secret):
    """P04 to P08: duplicate names, NaN, huge numbers, deep nesting, no object."""
    with pytest.raises(MalformedAnswer) as caught:
        verify_notification(body, secret)
    assert SECRET not in walk(caught.value)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
NAMES = st.sampled_from(["created_at", "error", "id", "reference", "sandbox", "status", "signature", "other"])


@given(st.binary(max_size=80) | st.text(max_size=80) | JSON | st.dictionaries(NAMES, JSON))
@settings(max_examples=400, deadline=None)
def test_random_body_is_never_verified_and_never_a_built_in_error(body):
    """P06 to P08: fuzzed; texts, and dictionaries of what JSON can say. Promise 8."""
    with pytest.raises((SignatureInvalid, MalformedAnswer)):
        verify_notification(body, SECRET)


def test_a_number_too_long_to_write_is_one_typed_error():
    """P06: Python refuses to write an integer of more than 4,300 digits."""
    fields = {**dict.fromkeys(("created_at", "error", "id", "reference", "sandbox", "status"), ""), "id": 10**5000}
    with pytest.raises(SignatureInvalid, match="id is not a plain value"):
        verify_notification({**fields, "signature": "x"}, SECRET)


@given(st.dictionaries(st.sampled_from(["exp", "iat", "data"]), JSON | st.just(10**400) | st.just(-(10**400))))
@settings(max_examples=200, deadline=None)
def test_random_claims_never_raise_a_built_in_error(claims):
    """A24, A25: fuzzed; signed rightly, they are read or refused. Promise 8."""
    try:
        token = sign_jwt(claims, SECRET)
        assert verify_jwt(token, SECRET)
    except (SignatureInvalid, UsageError):
        pass


VALUES = st.text(max_size=20) | st.none() | st.booleans() | st.integers()


@given(st.fixed_dictionaries(dict.fromkeys(("created_at", "error", "id", "reference", "sandbox", "status"), VALUES)))
@settings(max_examples=100, deadline=None)
def test_what_we_sign_as_the_vendor_does_is_verified(fields):
    """Round trip over the plain values of JSON."""
    body = {**fields, "signature": back_signature(fields, SECRET), "metadata": {}}
    assert verify_notification(json.loads(json.dumps(body)), SECRET).verified


@pytest.mark.parametrize(
    "call",
    [
        lambda secret: verify_notification({**BACK[0]["body"]}, secret),
        lambda secret: verify_notification({**BACK[0]["body"], "id": ["1"]}, secret),
        lambda secret: verify_notification({"signature": "a.b.c"}, secret),
        lambda secret: verify_notification({}, secret.encode()),
        lambda secret: verify_notification({}, f"{secret}\ud800"),
        lambda secret: verify_jwt("a.b.c", secret),
        lambda secret: verify_jwt("a.b.c", f"{secret}\ud800"),
        lambda secret: sign_jwt({}, secret.encode()),
        lambda secret: sign_jwt({"data": object()}, secret),
        lambda secret: back_signature({}, secret.encode()),
        lambda secret: back_signature({name: ["1"] for name in BACK[0]["body"]}, secret),
    ],
)
def test_secret_is_in_no_error_and_no_frame_of_vendorkit(call):
    """S11, S18: also where the secret itself cannot be used, and where a field is refused halfway."""
    with pytest.raises((SignatureInvalid, UsageError)) as caught:
        call("sentinel")
    traceback, ours = caught.value.__traceback__, []
    while traceback:
        if "vendorkit/auth" in traceback.tb_frame.f_code.co_filename:
            ours.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert ours
    assert "sentinel" not in walk(caught.value) + "".join(ours)
