"""Pledg's notifications as a table: which are genuine, which came twice, and what they say. Facts as of 2026-11."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from vendorkit.auth import verify_notification
from vendorkit.errors import MalformedAnswer, SignatureInvalid
from vendorkit.frames import Column, JsonReader, Kind, Schema, to_frame
from vendorkit.settings import Secret

CODE, TEXT, INTEGER = Kind.CODE, Kind.TEXT, Kind.INTEGER

_NOTIFICATION: Final = Schema(
    "notifications",
    (
        Column("verified", Kind.BOOLEAN, about="Whether the signature is genuine; null where no secret is set."),
        Column("why", TEXT, about="Why it is not verified."),
        Column("kind", TEXT, about="back, jwt, unsigned, or unreadable where it is no JSON object."),
        Column("repeated", Kind.BOOLEAN, about="An equal body came before: the vendor's tokens carry no time."),
        *(Column(name, CODE) for name in ("id", "uid", "reference", "purchase_uid", "merchant_uid")),
        Column("transfer_order_item_uid", CODE),
        Column("amount_cents", INTEGER, unit="cents"),
        *(Column(name, Kind.DATETIME) for name in ("created", "created_at")),
        *(Column(name, TEXT) for name in ("status", "error", "purchase_state", "state", "acceptance_state")),
        Column("acceptance_rejection_type", TEXT),
        Column("sandbox", Kind.BOOLEAN),
        *(Column(name, Kind.JSON) for name in ("additional_data", "metadata")),
    ),
    key="",
)


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
        return dict(verify_notification(body, self._secret.reveal()).fields)

    def frame(self, bodies: Iterable[bytes | str | Mapping[str, Any]]) -> pd.DataFrame:
        """
        Return one row a notification: verified or not, why not, and the fields.

        The fields of what is not verified are shown all the same, for looking at, never for booking.
        """
        seen, rows = set[str](), []
        for body in bodies:
            text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
            text = text if isinstance(text, str) else json.dumps(text, default=str)
            rows.append({**_examined(body, self._secret), "repeated": text in seen})
            seen.add(text)
        page = JsonReader(_NOTIFICATION, records=None).read(json.dumps(rows).encode())
        page.drift.warn("notifications")
        return to_frame(page.table)


def _examined(body: bytes | str | Mapping[str, Any], secret: Secret) -> dict[str, Any]:
    try:
        fields = dict(body) if isinstance(body, Mapping) else json.loads(body)
        json.dumps(fields, allow_nan=False)  # one body with a NaN would make the whole table unreadable
    except (TypeError, ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return {"verified": False, "why": "The notification is not a JSON object.", "kind": "unreadable"}
    try:
        found = verify_notification(body, secret.reveal())
    except (SignatureInvalid, MalformedAnswer) as exc:
        kind = "back" if len(fields) > 1 and "signature" in fields else "jwt" if "signature" in fields else "unsigned"
        clear = {name: value for name, value in fields.items() if name != "signature"}
        return {**clear, "verified": False, "why": exc.what, "kind": kind}
    return {**found.fields, "verified": True, "why": None, "kind": found.kind}
