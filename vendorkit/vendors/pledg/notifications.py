"""Pledg's notifications as a table: which are genuine, which came twice, and what they say."""

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
    """Pledg's notifications: verified one by one, or a log of them as a table."""

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

        The fields of what is not verified are shown all the same, for looking at, never for booking. It does not make
        a genuine notification of the same content a repeated one.
        """
        one = isinstance(bodies, (str, bytes, bytearray, memoryview, Mapping))
        several = isinstance(bodies, Iterable) and not isinstance(bodies, type) and getattr(bodies, "ndim", 1) == 1
        if not (one or several):
            arguments.refuse("bodies", "a list of notifications", bodies)
        seen, rows = set[tuple[bool, str]](), []
        listed: Iterable[Any] = [bodies] if one else getattr(bodies, "to_pylist", lambda: bodies)()
        for given in listed:
            row, identity = _examined(_plain(given), self._secret)
            rows.append({**row, "repeated": (row["verified"], identity) in seen})
            seen.add((row["verified"], identity))
        batch = page_of(rows).table(read_resources(FILE)["notifications"].schema)
        batch.drift.warn("notifications")
        return to_frame(batch.table)


def _plain(body: Any) -> Any:
    """Return a body in bytes or a dictionary with Python's own values in place of NumPy's; others as they are."""
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
    """Return the row of one notification, and what tells it from others."""
    try:
        fields = dict(body) if isinstance(body, Mapping) else json.loads(body)
        strict_value(json.dumps(fields))  # one body with a NaN, or too deep, would make the whole table unreadable
    except (TypeError, ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        why = "The notification is not a JSON object."
        return {"verified": False, "why": why, "kind": "unreadable"}, _text(body)
    try:
        found = verify_notification(body, secret.reveal())
    except (SignatureInvalid, MalformedAnswer) as exc:
        kind = "back" if len(fields) > 1 and "signature" in fields else "jwt" if "signature" in fields else "unsigned"
        clear = {name: value for name, value in fields.items() if name != "signature"}
        return {**clear, "verified": False, "why": exc.what, "kind": kind}, in_one_form(fields)
    return {**found.fields, "verified": True, "why": None, "kind": found.kind}, found.identity
