"""
What fits a declared type, as types of msgspec.

They take what Arrow's parser and the conversions after it take, and so tell
which records and members those will refuse.
"""

from __future__ import annotations

from datetime import date
from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec

from vendorkit.frames.columns import ENTRIES, EXACT, FIRST_SECOND, LAST_SECOND, element, is_free
from vendorkit.frames.raw import object_type
from vendorkit.frames.schema import Embedded, EmbeddedMany, Kind, ListOf, Struct, Type
from vendorkit.strictjson import INT64

_INT64: Final = Annotated[int, msgspec.Meta(ge=INT64.start, le=INT64.stop - 1)]
# No time that Arrow refuses, not even a day that is not in its month; 29 February is left to the lossless reader.
_DAY: Final = "((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
_TIME: Final = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?"
_MOMENT: Final = rf"\A[0-9]{{4}}-{_DAY}({_TIME})?\Z"
_SCALARS: Final[dict[Type, Any]] = {
    Kind.ID: _INT64,
    Kind.INTEGER: _INT64,
    Kind.EPOCH: Annotated[int, msgspec.Meta(ge=FIRST_SECOND, le=LAST_SECOND)],
    Kind.NUMBER: Annotated[float, msgspec.Meta(gt=-EXACT, lt=EXACT)],
    Kind.BOOLEAN: bool,
    Kind.DATETIME: Annotated[str, msgspec.Meta(pattern=_MOMENT)],
    Kind.DATE: date,
}


def fitting(kind: Any, locales: tuple[str, ...], *, closed: bool) -> Any:
    """The type of values of *kind*, null included; free values do not fit, because Arrow has no type for them."""
    match kind:
        case _ if is_free(kind):
            return None
        case ListOf(of):
            return GenericAlias(list, (fitting(element(of), locales, closed=closed),)) | None
        case Struct(fields) | Embedded(fields):
            inside = {column.wire: fitting(column.kind, locales, closed=closed) for column in fields}
        case EmbeddedMany(fields):
            inside = {ENTRIES: fitting(ListOf(fields), locales, closed=closed)}
        case Kind.LOCALISED:
            inside = dict.fromkeys(locales, str | None)
        case _:
            return _SCALARS.get(kind, str) | None
    return object_type(inside, closed=closed) | None
