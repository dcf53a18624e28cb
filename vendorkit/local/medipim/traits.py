"""
What depends only on the kind of a product: its form, line, size, media, categories and other links.

There are 256 kinds (`variant`); the media of a kind are numbered `2 * variant` and `2 * variant + 1`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vendorkit.local.medipim import words

VARIANTS: Final = 256
CATEGORIES: Final = 640
_ROOTS: Final = len(words.ROOT_CATEGORIES)
_SECOND: Final = 64
INGREDIENTS: Final = 50


def form_of(variant: int) -> words.Form:
    """Return the form: gel, tablets, and so on."""
    return words.FORMS[variant % 16]


def line_of(variant: int) -> str:
    """Return the name of the product line."""
    return words.LINES[variant // 16]


def size_of(variant: int) -> int:
    """Return the content of the pack, in the unit of the form."""
    return form_of(variant).sizes[(variant // 16 + variant) % 4]


def usual_price(variant: int) -> int:
    """Return the usual price in cents, by form and pack size."""
    return form_of(variant).price * (4 + (variant // 16 + variant) % 4) // 5


USUAL_PRICE: Final[npt.NDArray[np.int64]] = np.array([usual_price(v) for v in range(VARIANTS)], dtype=np.int64)
MEDICINE: Final[npt.NDArray[np.bool_]] = np.array([form_of(v).medicine for v in range(VARIANTS)], dtype=np.bool_)


def parent_category(category: int) -> int | None:
    """Return the index of the parent: 8 roots, 64 below them, the rest below those."""
    if category < _ROOTS:
        return None
    below = category - _ROOTS
    return below % _ROOTS if below < _SECOND else _ROOTS + (below - _SECOND) % _SECOND


def categories_of(variant: int) -> list[int]:
    """Return indexes of the public categories: a leaf under the root of the form, and sometimes a second one."""
    leaf = _ROOTS + _SECOND + variant % _ROOTS + _ROOTS * (variant * 5 % 71)
    return [leaf] if variant % 5 else [leaf, leaf - _ROOTS if leaf > 2 * _SECOND else leaf + _ROOTS]


def families_of(variant: int) -> list[int]:
    """Return indexes of the product families; most kinds have none."""
    return [variant % 13] if variant % 3 == 0 else []


def ingredients_of(variant: int) -> list[int]:
    """Return indexes of the active ingredients: medicines only."""
    return (
        [variant % INGREDIENTS, (variant * 7 + 1) % INGREDIENTS][: 1 + variant % 2] if form_of(variant).medicine else []
    )


def options_of(variant: int) -> list[int]:
    """Return indexes of the attribute options."""
    return [variant % 30, (variant + 11) % 30] if variant % 4 == 0 else []


def not_applicable(variant: int) -> list[str]:
    """Return the fields that the vendor marks as not applicable."""
    return ["depth"] if variant % 20 == 0 else []


def species_of(variant: int) -> str:
    """Return the species that the product is for."""
    return words.SPECIES[1 if variant % 40 == 7 else 0]


def conservation_of(variant: int) -> str:
    """Return the storage: eye drops in the refrigerator, all others at room temperature."""
    return "refrigerator" if variant % 16 == 6 else "room"


def gs1_of(variant: int) -> str | None:
    """Return the GS1 brick code; few kinds have one."""
    return f"1000{variant % 16:04d}" if variant % 6 == 0 else None


def weight_known(variant: int) -> bool:
    """Return whether the product has a weight."""
    return variant % 8 != 1


def leaflet_there(variant: int) -> bool:
    """Return whether the product has a leaflet, as medicines have."""
    return form_of(variant).medicine


def media_there(item: int) -> bool:
    """Return whether the product of media kind `item` links to it; no product links to the others."""
    return item // 2 % 12 != 3 and item % 4 != 3


def media_type(item: int) -> str:
    """Return `photo` or `link`."""
    return "link" if item % 20 == 1 else "photo"


def photo_type(item: int) -> str:
    """Return the type of a photo; the first of a product is a packshot."""
    return words.PHOTO_TYPES[0 if item % 2 == 0 else 1 + item // 2 % 3]


def link_type(item: int) -> str:
    """Return the type of a link."""
    return words.LINK_TYPES[item // 20 % 4]


def sides_of(item: int) -> list[str]:
    """Return the visible sides of a photo."""
    return ["front"] if item // 2 % 8 == 0 else ["front", words.SIDES[1 + item // 2 % 5]]


def frontal(item: int) -> bool:
    """Return whether a photo is also a frontal: a packshot that shows only the front."""
    return media_type(item) == "photo" and photo_type(item) == "packshot" and sides_of(item) == ["front"]


def media_groups(item: int) -> list[str]:
    """Return the target groups of a media item."""
    return ["public", "webshop"] if item % 3 == 0 else ["public"]


def photos_of(variant: int) -> list[int]:
    """Return the kinds of the photos that a kind of product links to."""
    items = (2 * variant, 2 * variant + 1)
    return [item for item in items if media_there(item) and media_type(item) == "photo"]


def third_language(variant: int, number: int) -> bool:
    """Return whether there is a name in the third or fourth locale (`number` 2 or 3)."""
    return (variant + number) % 3 == 0


def usage_there(variant: int) -> bool:
    """Return whether there is also a description of type `usage`, in the first locale."""
    return variant % 4 == 0


def biocide(variant: int) -> bool:
    """Return whether the product is a biocide."""
    return variant % 64 == 5
