"""
What real Medipim answers hold now and then, put into a few records of the local vendor.

`twist` puts in one oddity of the body by index modulo 2,000 (columns have theirs in `catalogue`):

    607   `meta.createdAt` null
    707   brand name as a localised object
    807   `seoName` is `[]` where `{}` is meant
    907   `leaflets`, `links`, `notApplicableField` and `weight` absent
    1007  empty text in `packageContent`, `supplierReference` and `atc`
    1107  HTML with quotes, newline, tab, emoji, `|` and `;` in a description
    1207  `manufacturerPrice` 2**53 + 1
    1307  U+2028 and a non-breaking space at the end of the first name
    1407  `packageQuantity` "750 ml"
    1507  `eanGtin13` as a list
    1607  `brands` null
    1707  a description whose `content` is `[]`
    1807  an organization with `contactInformation`, spelt `zipcode`
    1907  `vat` as a float with an empty fraction (21.0), `publicPrice` as one (1650.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vendorkit.local.medipim import words

if TYPE_CHECKING:
    from collections.abc import Callable

Record = dict[str, Any]
HARD_HTML: Final = '<p class="a">“Zacht” & \'mild\' | 100&nbsp;%;\n\tvoor baby 👶🏽 \\ "huid"</p>\r\n<p>é</p>'
BIG: Final = 2**53 + 1  # the first integer that a double cannot hold
NO_SEO_NAME: Final = 807
NO_LEAFLETS: Final = 907
NO_BRANDS: Final = 1607


def _no_creation(product: Record) -> None:
    product["meta"]["createdAt"] = None


def _localised_brand(product: Record) -> None:
    for brand in product["brands"]:
        brand["name"] = dict.fromkeys(product["name"], brand["name"])


def _empty_map(product: Record) -> None:
    product["seoName"] = []


def _absent(product: Record) -> None:
    for key in ("leaflets", "links", "notApplicableField", "weight"):
        del product[key]


def _empty_texts(product: Record) -> None:
    product |= dict.fromkeys(("packageContent", "supplierReference", "atc"), "")


def _hard_html(product: Record) -> None:
    locale = next(iter(product["name"]))
    product["descriptions"].append(_text(product, {locale: HARD_HTML}))


def _big_integer(product: Record) -> None:
    if "manufacturerPrice" in product:
        product["manufacturerPrice"] = BIG


def _odd_spaces(product: Record) -> None:
    locale = next(iter(product["name"]))
    product["name"][locale] += " 2\u00a0x\u2028nieuw"


def _quantity_with_unit(product: Record) -> None:
    product["packageQuantity"] = "750 ml"


def _listed_gtin(product: Record) -> None:
    product["eanGtin13"] = [product["eanGtin13"]] if product["eanGtin13"] else []


def _no_brands(product: Record) -> None:
    product["brands"] = None


def _empty_content(product: Record) -> None:
    product["descriptions"].append(_text(product, []))


def _contact(product: Record) -> None:
    contact = {"address": "Kerkstraat 1", "city": "Brussel", "zipcode": "0170", "country": "BE", "url": None}
    product["organizations"][0]["contactInformation"] = contact


def _whole_floats(product: Record) -> None:
    for key in ("vat", "publicPrice"):
        if product.get(key) is not None:
            product[key] = float(product[key])


def _text(product: Record, content: Any) -> Record:
    locales = list(product["name"])[:1]
    meta = dict(product["meta"])
    return {"id": 1, "locales": locales, "targetGroups": ["public"], "type": "usage", "content": content, "meta": meta}


_TWISTS: Final[dict[int, Callable[[Record], None]]] = {
    607: _no_creation,
    707: _localised_brand,
    NO_SEO_NAME: _empty_map,
    NO_LEAFLETS: _absent,
    1007: _empty_texts,
    1107: _hard_html,
    1207: _big_integer,
    1307: _odd_spaces,
    1407: _quantity_with_unit,
    1507: _listed_gtin,
    NO_BRANDS: _no_brands,
    1707: _empty_content,
    1807: _contact,
    1907: _whole_floats,
}
RESTS: Final = tuple(_TWISTS)


def twist(product: Record, rest: int) -> Record:
    """Return `product` with the oddity of `rest`, one of RESTS; changed in place."""
    _TWISTS[rest](product)
    return product


def struck(number: int, rate: float) -> bool:
    """Return whether record `number` is among the share `rate` that `wrong_types` is for."""
    return number * 2_654_435_761 % (1 << 32) < rate * (1 << 32)


def wrong_types(record: Record, number: int) -> Record:
    """Return `record` with a type that no document announces, and a new field; which one turns with `number`."""
    kind = number % 4
    if kind == 0:
        record |= {k: str(v) for k, v in record.items() if isinstance(v, int) and not isinstance(v, bool)}
    elif kind == 1:
        record |= {"name": [] if isinstance(record.get("name"), dict) else record.get("name")}
    elif kind == 2:
        meta = record.get("meta") or {}
        record |= {"meta": {key: None if value is None else str(value) for key, value in meta.items()}}
    else:
        record |= {"meta": []}
    record["newField"] = {"since": words.STATUSES[number % 4]}
    return record


def spoilt(record: Record, number: int, rate: float) -> Record:
    """Return `record`, or a copy with wrong types where it is struck."""
    return wrong_types(dict(record), number) if struck(number, rate) else record
