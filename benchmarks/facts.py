"""What the contenders read, in one form: a tuple of values from every depth of each record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from benchmarks.harness import Facts

TOP: Final = (
    *("id", "status", "name", "cnk", "publicPrice", "vat", "weight", "ean", "meta", "brands", "photos"),
    "descriptions",
)
"""The vendor's fields that the facts are drawn from."""
NORMALISED: Final = tuple(name for name in TOP if name not in {"name", "meta"})
EIGHT: Final = ("id", "status", "name_nl", "cnk", "ean", "public_price", "created_at", "updated_at")
"""The columns of the projection, as vendorkit calls them."""
_OURS: Final = (
    *("id", "status", "name_nl", "name_fr", "cnk", "public_price", "vat", "weight", "ean", "created_at", "brands"),
    *("photos", "descriptions"),
)


def of_record(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the facts of one product in the vendor's form."""
    name = record.get("name") or {}
    return (
        record["id"],
        record["status"],
        _none(name.get("nl")),
        _none(name.get("fr")),
        _none(record["cnk"]),
        *(_number(record.get(field)) for field in ("publicPrice", "vat", "weight")),
        tuple(record["ean"]),
        _number(record["meta"]["createdAt"]),
        tuple(str(brand["id"]) for brand in _list(record["brands"])),
        tuple((str(photo["id"]), photo["formats"]["huge"]) for photo in _list(record["photos"])),
        tuple((str(text["id"]), _text(text["content"])) for text in _list(record["descriptions"])),
    )


def of_records(records: Iterable[Mapping[str, Any]]) -> Facts:
    """Return the facts of products in the vendor's form."""
    return [of_record(record) for record in records]


def of_table(table: pa.Table) -> Facts:
    """Return the facts of an Arrow table with the vendor's names and nesting."""
    return of_records(table.select(list(TOP)).to_pylist())


def of_normalised(frame: pd.DataFrame) -> Facts:
    """Return the facts of what `json_normalize` made."""
    names = [*NORMALISED, "name.nl", "name.fr", "meta.createdAt"]
    rows = zip(*(frame[name].tolist() if name in frame else [None] * len(frame) for name in names), strict=True)
    return [
        of_record({**dict(zip(NORMALISED, row[:-3], strict=True)), "name": _name(row), "meta": {"createdAt": row[-1]}})
        for row in rows
    ]


def of_ours(frame: pd.DataFrame) -> Facts:
    """Return the facts of a frame of vendorkit."""
    return [
        (
            *(row[name] for name in _OURS[:5]),
            *(_number(row[name]) for name in ("public_price", "vat", "weight")),
            tuple(row["ean"]),
            _number(row["created_at"]),
            tuple(brand["id"] for brand in _list(row["brands"])),
            tuple((photo["id"], photo["formats"]["huge"]) for photo in _list(row["photos"])),
            tuple((text["id"], _text(text["content"])) for text in _list(row["descriptions"])),
        )
        for row in pa.Table.from_pandas(frame[list(_OURS)], preserve_index=False).to_pylist()
    ]


def _name(row: tuple[Any, ...]) -> dict[str, Any]:
    return {"nl": row[-3], "fr": row[-2]}


def _none(value: Any) -> Any:
    """Return None for the NaN that pandas puts where nothing was."""
    return None if value is None or value != value else value  # noqa: PLR0124 - only NaN differs from itself


def _number(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    found = _none(value)
    return None if found is None else float(found)


def _list(value: Any) -> Any:
    return [] if value is None or isinstance(value, float) else value


def _text(content: Any) -> tuple[Any, Any]:
    """Return a localised text; `[]` stands for no text at all."""
    return (content.get("nl"), content.get("fr")) if isinstance(content, Mapping) else (None, None)
