"""Pledg's notifications that come twice: money is counted once, and a forged copy takes nothing away."""

from __future__ import annotations

import json
import time

import numpy as np
import pyarrow as pa
import pytest

from vendorkit.auth import sign_jwt, verify_jwt
from vendorkit.auth.signature import back_signature
from vendorkit.errors import SignatureInvalid
from vendorkit.settings import Secret
from vendorkit.vendors.pledg.notifications import Notifications

SECRET = "made-up words"
FIELDS = {"created_at": "2026-01-31", "error": "", "id": "pur_1", "reference": "R", "sandbox": True, "status": "ok"}


def repeated(*bodies) -> list[bool]:
    """The flag of each notification."""
    return list(Notifications(Secret(SECRET)).frame(bodies)["repeated"])


def signed(fields: dict, **more) -> dict:
    """A notification in back mode."""
    return {**fields, **more, "signature": back_signature(fields, SECRET)}


def test_redelivery_is_repeated_however_it_is_written():
    """A43: other white space, another order, other metadata, an empty text for null; bytes, text or a dictionary."""
    first = signed(FIELDS, metadata={"try": 1})
    turned = dict(reversed(signed({**FIELDS, "error": None}, metadata={"try": 2}).items()))
    bodies = [json.dumps(first), json.dumps(first, indent=3).encode(), turned, signed({**FIELDS, "id": "pur_2"})]
    assert repeated(*bodies) == [False, True, True, False]


def test_numbers_and_lists_of_numpy_and_arrow_are_those_of_json():
    """A43: a notification from a table is the one that was posted; a list may be Arrow's."""
    posted = signed(FIELDS, amount_cents=500)
    from_table = {**posted, "amount_cents": np.int64(500), "sandbox": np.True_}
    assert repeated(json.dumps(posted), from_table) == [False, True]
    notifications = Notifications(Secret(SECRET))
    assert notifications.verify(from_table)["amount_cents"] == 500
    for kind in (pa.string(), pa.binary()):
        assert notifications.frame(pa.array([json.dumps(posted)], kind))["verified"].tolist() == [True]


def test_token_is_repeated_by_its_claims():
    """A43: however it was encoded; another amount is another notification."""
    claims = {"uid": "tra_1", "amount_cents": 500}
    again = {"amount_cents": 500, "uid": "tra_1"}
    bodies = [
        {"signature": sign_jwt(each, SECRET)} for each in (claims, again, {**claims, "amount_cents": 501}, claims)
    ]
    assert repeated(*bodies, json.dumps(bodies[0], indent=1)) == [False, True, False, True, True]


def test_forged_copy_before_the_genuine_one_has_no_effect():
    """A43: else whoever guesses the fields could keep the genuine one out of the books."""
    genuine = signed(FIELDS)
    forged = {**genuine, "signature": "0" * 64}
    assert repeated(forged, FIELDS, genuine, forged, genuine) == [False, False, False, True, True]


def test_what_cannot_be_read_is_repeated_by_its_text():
    """It says nothing else."""
    assert repeated("{", b"{", "{", "[1]", "[1]") == [False, True, True, False, True]


def test_token_is_not_valid_before_its_beginning_and_the_leeway():
    """A42: RFC 7519 section 4.1.5: both sides of the boundary, and no number."""
    token = sign_jwt({"nbf": 1000}, SECRET)
    assert verify_jwt(token, SECRET, now=940)["nbf"] == 1000
    for late in ({"now": 939}, {"now": 999, "leeway_s": 0}):
        with pytest.raises(SignatureInvalid, match="not yet valid"):
            verify_jwt(token, SECRET, **late)
    for wrong in ("today", False, time.time() + 90):
        with pytest.raises(SignatureInvalid):
            verify_jwt(sign_jwt({"nbf": wrong}, SECRET), SECRET)
