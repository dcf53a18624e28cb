"""Pledg's merchants and payment schedules: which part of an amount is due on which date (Pledg's documents)."""

from __future__ import annotations

import calendar
import datetime as dt
import decimal
import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TERMS: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("terms.json").read_text("utf-8"))
"""Each of `merchants` has type, number of instalments, days of delay, and fees (lowest amount in cents, percent)."""
MAX_MONTHS: Final = 12  # later shares are added to the last payment within these months
ROUNDING: Final = {"half_up": decimal.ROUND_HALF_UP, "down": decimal.ROUND_DOWN, "up": decimal.ROUND_UP}


def uid(prefix: str, seed: int, index: int) -> str:
    """
    Return the uid of the record *index*, in the form of a UUID4. The last twelve digits are the index.

    A record is found by the index in its uid, so no records are kept in memory.
    """
    digits = hashlib.sha256(f"{seed}:{prefix}:{index}".encode()).hexdigest()
    return f"{prefix}_{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{index:012x}"


def index_of(record_uid: str, prefix: str, seed: int) -> int | None:
    """Return the index of the record with this uid, None if there is none."""
    try:
        index = int(record_uid[-12:], 16)
    except ValueError:
        return None
    return index if record_uid == uid(prefix, seed, index) else None


@dataclass(frozen=True)
class Merchant:
    """One payment solution of a shop: instalments over some months, or one payment after some days."""

    uid: str
    payment_type: str  # INSTALLMENT or DEFERRED
    installments_nb: int | None
    delay_in_days: int | None
    fees: tuple[tuple[int, float], ...]  # (lowest amount in cents, percent), ascending

    def fees_of(self, amount_cents: int, rounding: str) -> int:
        """Return the buyer's fees for an amount, in cents. The documents do not say how fees are rounded."""
        percent = [percent for threshold, percent in self.fees if amount_cents >= threshold][-1]
        exact = decimal.Decimal(amount_cents * percent / 100)
        return int(exact.quantize(decimal.Decimal(1), ROUNDING[rounding]))

    def as_json(self, threshold_name: str) -> dict[str, Any]:
        """Return the merchant as the answer to GET. *threshold_name* names the lowest amount of a fee."""
        members = {name: value for name, value in vars(self).items() if name != "fees"}
        fees = [{"buyer_fees_percent": percent, threshold_name: threshold} for threshold, percent in self.fees]
        return {**members, "buyer_fees_percents": fees}


def merchants(seed: int) -> dict[str, Merchant]:
    """Return the merchants of the company, by uid. The first one belongs to the credentials."""
    company = [Merchant(uid("mer", seed, index), *term) for index, term in enumerate(TERMS["merchants"], start=1)]
    return {merchant.uid: merchant for merchant in company}


def schedule(
    merchant: Merchant, amount_cents: int, created: dt.date, second: dt.date | None = None, rounding: str = "half_up"
) -> dict[str, Any]:
    """Return the answer to a simulation: a list of payments in INSTALLMENT, or one payment in DEFERRED."""
    fees = merchant.fees_of(amount_cents, rounding)
    if merchant.payment_type == "DEFERRED":
        due = created + dt.timedelta(days=merchant.delay_in_days or 0)
        return {"DEFERRED": _payment(amount_cents, fees, due)}
    count = merchant.installments_nb or 1
    share = amount_cents // count
    last_day = add_months(created, MAX_MONTHS)
    lines = [_payment(amount_cents - share * (count - 1), fees, created)]
    for months in range(1, count):
        use_second = second is not None and second >= created
        due = add_months(second, months - 1) if second is not None and use_second else add_months(created, months)
        if due > last_day:
            lines[-1]["amount_cents"] += share
        else:
            lines.append(_payment(share, 0, due))
    return {"INSTALLMENT": lines}


def _payment(amount_cents: int, fees: int, day: dt.date) -> dict[str, Any]:
    return {"amount_cents": amount_cents, "fees": fees, "payment_date": day.isoformat()}


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the same day *months* later, or the last day of a shorter month (inferred)."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def with_rates(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan with its yearly rate (`taeg`) and nominal rate in percent, if it has instalments."""
    if "INSTALLMENT" not in plan:
        return plan
    yearly = _yearly_rate(plan["INSTALLMENT"])
    return {**plan, "taeg": round(100 * yearly, 2), "debit_rate": round(1200 * ((1 + yearly) ** (1 / 12) - 1), 2)}


def _yearly_rate(lines: list[dict[str, Any]]) -> float:
    """Return the rate at which the present value of the payments equals the amount, by bisection."""
    days = [dt.date.fromisoformat(line["payment_date"]).toordinal() for line in lines]
    paid = [(line["amount_cents"] + line["fees"], (day - days[0]) / 365) for day, line in zip(days, lines, strict=True)]
    amount_cents = sum(line["amount_cents"] for line in lines)
    low, high = 0.0, 1e6
    for _ in range(80):
        rate = (low + high) / 2
        present_value = sum(cents / (1 + rate) ** years for cents, years in paid)
        low, high = (rate, high) if present_value > amount_cents else (low, rate)
    return low


def corrupt(answer: dict[str, Any], seed: int, rate: float) -> dict[str, Any]:
    """Return a simulation in which a share *rate* of the payments has a wrong type and an undocumented field."""
    plans = {kind: lines for kind, lines in answer.items() if kind.isupper()}
    for kind, lines in plans.items():
        for number, line in enumerate(lines if isinstance(lines, list) else [lines]):
            if random.Random(f"{seed}:{kind}:{number}:{line}").random() < rate:
                line |= {"amount_cents": str(line["amount_cents"]), "comment": "not announced"}
    return answer
