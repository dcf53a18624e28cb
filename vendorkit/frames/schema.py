"""
Declared columns: what a resource's frame looks like, whatever a vendor sends.

A `Schema` lists `Column` values in the vendor's own terms. It gives the Arrow
schema of the frame, the same for any number of rows, and the child tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
import pyarrow as pa

from vendorkit.ask import choice, suggestion
from vendorkit.errors import UsageError
from vendorkit.frames.frame import to_frame
from vendorkit.frames.kinds import Column, Kind, Leaf, frame_type, leaves_of
from vendorkit.frames.names import undeclared_column


@dataclass(frozen=True)
class Schema:
    """
    The declared columns of one resource.

    Args:
        name: The resource in the plural (`"products"`); the name of its table.
        columns: The declarations, in the order of the frame.
        key: The column that identifies a record.
        locales: The locales that localised values come in, in the order of fallback.
        style: How the vendor writes names, `"snake"` or `"camel"`; it decides the columns of undeclared fields.
        only: Names of the frame's columns, if a projection left some out.
        locale: The one locale of a projection.

    Raises:
        UsageError: Two columns would have the same name.
    """

    name: str
    columns: tuple[Column, ...]
    key: str = "id"
    locales: tuple[str, ...] = ()
    style: str = "snake"
    only: tuple[str, ...] | None = None
    locale: str | None = None

    def __post_init__(self) -> None:
        names = Counter(leaf.name for leaf in self._all_leaves(self.locale))
        doubled = [name for name, count in names.items() if count > 1]
        if doubled:
            what = f"{self.name}: declared twice: {', '.join(doubled)}."
            raise UsageError(what, remedy="Rename one of them.")

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The columns of the frame, in order."""
        leaves = {leaf.name: leaf for leaf in self._all_leaves(self.locale)}
        return tuple(leaves.values()) if self.only is None else tuple(leaves[name] for name in self.only)

    def _all_leaves(self, locale: str | None) -> Iterator[Leaf]:
        order = () if locale is None else tuple(dict.fromkeys((locale, *self.locales)))
        for column in self.columns:
            yield from leaves_of(column, "", (), self.locales, order)

    @cached_property
    def _possible(self) -> frozenset[str]:
        # The columns of the whole schema, of one locale or of all.
        return frozenset(leaf.name for locale in {None, *self.locales[:1]} for leaf in self._all_leaves(locale))

    def undeclared(self, path: tuple[str, ...]) -> str:
        """The column of an undeclared field: the same in every projection and locale."""
        return undeclared_column(path, self.style, self._possible)

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of the frame."""
        return pa.schema([(leaf.name, self.dtype(leaf)) for leaf in self.leaves])

    def dtype(self, leaf: Leaf) -> pa.DataType:
        """The Arrow type of one column of the frame."""
        return pa.string() if leaf.pick else frame_type(leaf.kind, self.locales)

    def empty(self) -> pa.Table:
        """The table of no records."""
        return self.arrow.empty_table()

    def project(self, columns: Sequence[str] | None = None, locale: str | None = None) -> Schema:
        """
        Return a schema of fewer columns; the readers then parse only those.

        Args:
            columns: Names of the frame's columns in the order wanted, or of a declared column that
                spreads to several (`"name"` for `name_nl`, `name_fr`). None means all.
            locale: Give each localised value as one text column in this locale, else in the first of
                `locales` that has a text. Lists keep all locales, until `tables()` takes them apart.

        Raises:
            UsageError: There is no such column or locale; the message suggests the nearest. Or no column is asked for.
        """
        if locale is not None:
            locale = choice(locale, self.locales, f"{self.name} has no locale")
        whole = replace(self, locale=locale or self.locale, only=None)
        if columns is None:
            return replace(whole, only=None if locale else self.only)
        names = [name for wanted in columns for name in _matching(wanted, whole)]
        if not names:
            what = f"No column of {self.name} is asked for."
            raise UsageError(what, remedy="Name at least one, or leave `columns` out for all.")
        return replace(whole, only=tuple(dict.fromkeys(names)))

    def describe(self) -> pd.DataFrame:
        """One row per column of the frame: column, dtype, unit, source (the vendor's path), about."""
        found = zip(self.leaves, to_frame(self.empty()).dtypes, strict=True)
        rows = [
            (leaf.name, str(dtype), leaf.column.unit, ".".join(leaf.path), leaf.column.about) for leaf, dtype in found
        ]
        return pd.DataFrame(rows, columns=["column", "dtype", "unit", "source", "about"], dtype="string")


def _matching(wanted: str, schema: Schema) -> list[str]:
    names = [leaf.name for leaf in schema.leaves]
    if wanted in names:
        return [wanted]
    spread = [name for name, leaf in zip(names, schema.leaves, strict=True) if _spread_of(leaf) == wanted]
    if spread:
        return spread
    what = f"{schema.name} has no column {wanted!r}."
    raise UsageError(what, remedy=suggestion(wanted, names))


def _spread_of(leaf: Leaf) -> str:
    # The declared name that a spread column such as `name_nl` or `meta_created_at` comes from.
    return leaf.name.removesuffix(f"_{leaf.path[-1]}") if leaf.kind is Kind.TEXT else leaf.column.name
