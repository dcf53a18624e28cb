"""
Declared columns, which fix the columns and dtypes of a resource's frame.

A `Schema` lists `Column` declarations in the vendor's terms. The Arrow schema
of the frame and the child tables follow from it, for any number of rows.
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
        name: The plural name of the resource (`"products"`) and of its table.
        columns: The declarations, in the order of the frame.
        key: The column that identifies a record.
        locales: The locales of localised values, in fallback order.
        style: The vendor's naming style, `"snake"` or `"camel"`; the column names of undeclared fields depend on it.
        only: The columns of a projection; None for all.
        locale: The locale of a projection; None for all locales.

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
        duplicates = [name for name, count in names.items() if count > 1]
        if duplicates:
            what = f"Columns of {self.name} are declared twice: {', '.join(duplicates)}."
            raise UsageError(what, remedy="Rename one of each pair.")

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
        # The column names of the whole schema, with one locale or with all.
        return frozenset(leaf.name for locale in {None, *self.locales[:1]} for leaf in self._all_leaves(locale))

    def undeclared(self, path: tuple[str, ...]) -> str:
        """Return the column name of an undeclared field; it does not depend on the projection or locale."""
        return undeclared_column(path, self.style, self._possible)

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of the frame."""
        dtypes = {leaf.name: pa.string() if leaf.pick else frame_type(leaf.kind, self.locales) for leaf in self.leaves}
        return pa.schema(dtypes)

    def empty(self) -> pa.Table:
        """Return the table without rows."""
        return self.arrow.empty_table()

    def project(self, columns: Sequence[str] | None = None, locale: str | None = None) -> Schema:
        """
        Return a schema with fewer columns; readers then parse only those.

        Args:
            columns: Names of the frame's columns in the desired order. The name of a declared column selects
                all columns it becomes (`"name"` for `name_nl`, `name_fr`). None means all.
            locale: Return each localised value as one text column in this locale, or else in the first of
                `locales` that has a text. Values inside lists keep all locales until `tables()` divides them.

        Raises:
            UsageError: There is no such column or locale (the message suggests the nearest), or *columns* is empty.
        """
        if locale is not None:
            locale = choice(locale, self.locales, f"{self.name} has no locale")
        whole = replace(self, locale=locale or self.locale, only=None)
        if columns is None:
            return replace(whole, only=None if locale else self.only)
        names = [name for wanted in columns for name in _matching(wanted, whole)]
        if not names:
            what = f"The list of columns of {self.name} is empty."
            raise UsageError(what, remedy="Name at least one column, or omit columns= for all.")
        return replace(whole, only=tuple(dict.fromkeys(names)))

    def describe(self) -> pd.DataFrame:
        """Return one row per column of the frame: column, dtype, unit, source (the vendor's path), about."""
        pairs = zip(self.leaves, to_frame(self.empty()).dtypes, strict=True)
        rows = [
            (leaf.name, str(dtype), leaf.column.unit, ".".join(leaf.path), leaf.column.about) for leaf, dtype in pairs
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
    # The name of the declaration that a column such as `name_nl` or `meta_created_at` comes from.
    return leaf.name.removesuffix(f"_{leaf.path[-1]}") if leaf.kind is Kind.TEXT else leaf.column.name
