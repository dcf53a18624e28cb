"""The shorter lists of Medipim, to which nothing else refers: corrections, users, national categories, news."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from vendorkit.local.medipim.lookups import Lookups

Record = dict[str, Any]
_START: Final = 1_600_000_000
_CORRECTION_TYPES: Final = ("wrong_price", "wrong_photo", "wrong_text")
_STATUSES: Final = ("open", "in_progress", "solved", "closed")
NEWS_TYPES: Final = ("product", "organization", "public_category", "brand")


def _times(number: int) -> Record:
    return {"meta": {"createdAt": _START + number * 86_400, "updatedAt": _START + number * 90_000}}


def _named(lookups: Lookups, text: str) -> Record:
    return {"name": dict.fromkeys(lookups.locales[:2], text)}


def _correction(lookups: Lookups, n: int) -> Record:
    catalogue = lookups.catalogue
    product = int(catalogue.id_numbers(catalogue.index[n * 7 % catalogue.products : n * 7 % catalogue.products + 1])[0])
    there = {"id": n, "product": f"M{product:09X}", "locale": lookups.locales[n % min(2, len(lookups.locales))]}
    there |= {"type": _CORRECTION_TYPES[n % 3], "text": f'Price is "{n}" & not {n + 1}', "status": _STATUSES[n % 4]}
    return there | _times(n)


def _organization(lookups: Lookups, n: int) -> int:
    return int(lookups.organizations[n % len(lookups.organizations)]["id"])


def _category(prefix: str, lookups: Lookups, n: int) -> Record:
    parent = None if n < 4 else f"{prefix}{n // 4:04d}"
    return {"id": f"{prefix}{n:04d}", **_named(lookups, f"Category {n}"), "parent": parent, "order": n % 7}


def _medipim_category(lookups: Lookups, n: int) -> Record:
    described = {"description": dict.fromkeys(lookups.locales[:1], "<p>About it</p>")}
    return _category("medipimCategory-abc-", lookups, n) | described


# How many there are, and the record of a number from 1 on. The fields of news were not visible (inferred).
_MINOR: Final[dict[str, tuple[int, Callable[[Lookups, int], Record]]]] = {
    "corrections": (120, _correction),
    "correction_types": (3, lambda lookups, n: {"id": _CORRECTION_TYPES[n - 1], **_named(lookups, f"Type {n}")}),
    "users": (25, lambda k, n: {"id": n, "name": f"User {n}", "organization": _organization(k, n)} | _times(n)),
    "subscription_types": (4, lambda k, n: {"id": n, **_named(k, f"Plan {n}"), "code": f"plan_{n}"}),
    "updates": (60, lambda _, n: {"id": n, "newsType": NEWS_TYPES[n % 4]} | _times(n)),
    "bcfi_categories": (40, lambda k, n: _category("000", k, n) | _times(n)),
    "osp_categories": (40, lambda k, n: _category("1A", k, n) | _times(n)),
    "medipim_categories": (30, _medipim_category),
}


def minor(name: str, lookups: Lookups) -> list[Record]:
    """Return all records of a list, by id."""
    count, build = _MINOR[name]
    return [build(lookups, number) for number in range(1, count + 1)]


def subscriptions(lookups: Lookups) -> list[Record]:
    """Return what `organizations/check/subscription` says of every third organization, key secrets included."""
    return [
        {
            "organization": one["id"],
            "name": one["name"],
            "activeSubscriptions": [
                {"type": "plan_1", **_named(lookups, "Plan 1"), "start": _START, "end": _START + 10**8 + number}
            ],
            "apiKeys": [
                {
                    "id": number + 1,
                    "user": number % 25 + 1,
                    "name": "Shop",
                    "secret": _secret(number),
                    "isEnabled": True,
                }
            ],
        }
        for number, one in enumerate(lookups.organizations[::3])
    ]


def _secret(number: int) -> str:
    return f"{(number + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}" * 2
