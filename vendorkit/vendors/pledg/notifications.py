"""Pledg's notifications as a table: which are genuine, which are repeated, and their fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from vendorkit import arguments
from vendorkit.auth import verify_notification
from vendorkit.auth.signature import in_one_form
from vendorkit.errors import MalformedAnswer, SignatureInvalid
from vendorkit.frames import page_of, to_frame
from vendorkit.settings import Secret
from vendorkit.strictjson import strict_value
from vendorkit.vendors.declared import read_resources
from vendorkit.vendors.pledg.plans import FILE


class Notifications:
    """Verifies Pledg's notifications, one by one or as a table."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def verify(self, body: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the fields of one genuine notification.

        Raises:
            SignatureInvalid: It is unsigned, forged, or damaged.
        """
        return dict(verify_notification(_plain(body), self._secret.reveal()).fields)

    def frame(self, bodies: Iterable[bytes | str | Mapping[str, Any]]) -> pd.DataFrame:
        """
        Return one row per notification: verified or not, why not, repeated or not, and the fields.

        Rows that are not verified have their fields too: inspect them, but never book them. They do not make a genuine
        notification with the same content a repeated one.
        """
        is_single = isinstance(bodies, (str, bytes, bytearray, memoryview, Mapping))
        is_list = isinstance(bodies, Iterable) and not isinstance(bodies, type) and getattr(bodies, "ndim", 1) == 1
        if not (is_single or is_list):
            arguments.refuse("bodies", "a list of notifications", bodies)
        known, rows = set[tuple[bool, str]](), []
        items: Iterable[Any] = [bodies] if is_single else getattr(bodies, "to_pylist", lambda: bodies)()
        for body in items:
            row, identity = _examined(_plain(body), self._secret)
            rows.append({**row, "repeated": (row["verified"], identity) in known})
            known.add((row["verified"], identity))
        batch = page_of(rows).table(read_resources(FILE)["notifications"].schema)
        batch.drift.warn("notifications")
        return to_frame(batch.table)


def _plain(body: Any) -> Any:
    """Return bytes for any kind of bytes, and a mapping with Python values for NumPy's; other bodies unchanged."""
    if isinstance(body, Mapping):
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in body.items()}
    return bytes(body) if isinstance(body, (bytearray, memoryview)) else body


def _text(body: Any) -> str:
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    try:
        return body if isinstance(body, str) else json.dumps(body, default=arguments.shown)
    except (TypeError, ValueError, RecursionError):
        return arguments.shown(body)


def _examined(body: bytes | str | Mapping[str, Any], secret: Secret) -> tuple[dict[str, Any], str]:
    """Return the row of one notification, and a string that identifies its content."""
    try:
        fields = dict(body) if isinstance(body, Mapping) else json.loads(body)
        strict_value(json.dumps(fields))  # a NaN or too many levels in one body would make the whole table fail
    except (TypeError, ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        why = "The notification is not a JSON object."
        return {"verified": False, "why": why, "kind": "unreadable"}, _text(body)
    try:
        genuine = verify_notification(body, secret.reveal())
    except (SignatureInvalid, MalformedAnswer) as exc:
        kind = "back" if len(fields) > 1 and "signature" in fields else "jwt" if "signature" in fields else "unsigned"
        unsigned = {name: value for name, value in fields.items() if name != "signature"}
        return {**unsigned, "verified": False, "why": exc.what, "kind": kind}, in_one_form(fields)
    return {**genuine.fields, "verified": True, "why": None, "kind": genuine.kind}, genuine.identity
