"""
Declared columns: what a resource's frame looks like, whatever a vendor sends.

A `Schema` lists `Column` values in the vendor's own terms. It gives the Arrow
schema of the frame, the same for any number of rows, and the child tables.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import pandas as pd
import pyarrow as pa

from vendorkit.ask import choice
from vendorkit.errors import UsageError
from vendorkit.frames.frame import to_frame
from vendorkit.frames.names import undeclared_column

TIMESTAMP = pa.timestamp("us", tz="UTC")


class Kind(Enum):
    """What a value means; it decides the column's dtype and how strictly the wire is read."""

    TEXT = "text"
    CODE = "code"  # an identifier that is text on the wire: leading zeros count
    ID = "id"  # an identifier that is an integer on the wire, text tolerated; text in the frame
    INTEGER = "integer"  # int64
    NUMBER = "number"  # float64
    BOOLEAN = "boolean"
    EPOCH = "epoch"  # unix seconds -> UTC timestamp
    DATETIME = "datetime"  # ISO 8601 -> UTC timestamp; no offset means UTC, a bare date its first moment
    DATE = "date"  # YYYY-MM-DD -> date32
    DURATION = "duration"  # kept as the vendor's text: "02:13:21.000" and "30m" both occur
    JSON = "json"  # anything, kept as compact JSON text
    DOCUMENT = "document"  # the same for account-defined documents, where `-` and `_` in names are one
    LOCALISED = "localised"  # an object keyed by locale
    TEXT_OR_LOCALISED = "text_or_localised"  # plain text, or an object keyed by locale
    LINK = "link"  # JSON `<rel>_link`, XML `<link rel href>`; the column is called `<rel>_link`


@dataclass(frozen=True)
class ListOf:
    """A list of plain values (`ListOf(Kind.CODE)`) or of objects (`ListOf((Column(...), ...))`)."""

    of: Kind | tuple[Column, ...]


@dataclass(frozen=True)
class Struct:
    """An object with known fields. At top level it becomes `parent_child` columns, in a list a struct."""

    fields: tuple[Column, ...]


@dataclass(frozen=True)
class Embedded:
    """A linked resource that the vendor expanded in place: a struct, null where it was not expanded."""

    fields: tuple[Column, ...]


@dataclass(frozen=True)
class EmbeddedMany:
    """A linked collection expanded in place (`{"entries": [...]}`): a list of structs."""

    fields: tuple[Column, ...]


Type = Kind | ListOf | Struct | Embedded | EmbeddedMany


@dataclass(frozen=True)
class Column:
    """
    One declared field.

    Args:
        name: The name in the frame, snake_case.
        kind: What the value is.
        source: The vendor's name (`"eanGtin13"`), at top level also a path
            (`"meta.createdAt"`). Default: the same as `name`.
        unit: The unit of a number (`"cent"`, `"g"`), if any.
        about: One sentence on the meaning.
        tag: The name of its element in XML. Default: the kebab-case of `source`.
    """

    name: str
    kind: Type
    source: str = ""
    unit: str = ""
    about: str = ""
    tag: str = ""

    @cached_property
    def wire(self) -> str:
        """The vendor's name of the field in JSON; for a link `<rel>_link`, whichever was declared."""
        name = self.source or self.name
        return f"{name.removesuffix('_link')}_link" if self.kind is Kind.LINK else name


@dataclass(frozen=True)
class Leaf:
    """
    One column of the frame, and where its value is in a record.

    Args:
        name: The column's name.
        path: The vendor's keys from the record down to the value.
        kind: What the value is.
        column: The declaration this leaf comes from.
        pick: For a localised value, the locales to take the text from, best first.
    """

    name: str
    path: tuple[str, ...]
    kind: Type
    column: Column
    pick: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the plain form of a TEXT_OR_LOCALISED value belongs into this column."""
        return self.name == self.column.name


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
            yield from _leaves(column, "", (), self.locales, order)

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


def _leaves(
    column: Column, prefix: str, path: tuple[str, ...], locales: tuple[str, ...], order: tuple[str, ...]
) -> Iterator[Leaf]:
    """The columns of one declaration; `order` is the locales to pick from where only one is wanted."""
    name, path = prefix + column.name, (*path, *column.wire.split("."))
    whole = replace(column, name=name)
    match column.kind:
        case Struct(fields):
            for child in fields:
                yield from _leaves(child, f"{name}_", path, locales, order)
        case Kind.LOCALISED | Kind.TEXT_OR_LOCALISED if order:
            yield Leaf(name, path, column.kind, whole, pick=order)
        case Kind.LOCALISED:
            for locale in locales:
                yield Leaf(f"{name}_{locale}", (*path, locale), Kind.TEXT, column)
        case Kind.TEXT_OR_LOCALISED:
            yield Leaf(name, path, column.kind, whole, pick=locales)
            for locale in locales:
                yield Leaf(f"{name}_{locale}", path, column.kind, whole, pick=(locale,))
        case _:
            yield Leaf(name, path, column.kind, whole)


def _matching(wanted: str, schema: Schema) -> list[str]:
    names = [leaf.name for leaf in schema.leaves]
    if wanted in names:
        return [wanted]
    spread = [name for name, leaf in zip(names, schema.leaves, strict=True) if _spread_of(leaf) == wanted]
    if spread:
        return spread
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(names)}."
    what = f"{schema.name} has no column {wanted!r}."
    raise UsageError(what, remedy=hint)


def _spread_of(leaf: Leaf) -> str:
    # The declared name that a spread column such as `name_nl` or `meta_created_at` comes from.
    return leaf.name.removesuffix(f"_{leaf.path[-1]}") if leaf.kind is Kind.TEXT else leaf.column.name


_FRAME_TYPES = {
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.EPOCH: TIMESTAMP,
    Kind.DATETIME: TIMESTAMP,
    Kind.DATE: pa.date32(),
}


def frame_type(kind: Type, locales: tuple[str, ...]) -> pa.DataType:
    """The Arrow type that values of this kind have in the frame, inside a list or struct."""
    match kind:
        case ListOf(of):
            return pa.list_(frame_type(of, locales) if isinstance(of, Kind) else struct_type(of, locales))
        case Struct(fields) | Embedded(fields):
            return struct_type(fields, locales)
        case EmbeddedMany(fields):
            return pa.list_(struct_type(fields, locales))
        case Kind.LOCALISED:
            return pa.struct([(locale, pa.string()) for locale in locales])
        case _:
            return _FRAME_TYPES.get(kind, pa.string())


def struct_type(fields: tuple[Column, ...], locales: tuple[str, ...]) -> pa.DataType:
    """The Arrow struct of these fields; plain text or localised takes two, `name` and `name_localised`."""
    pairs = []
    for column in fields:
        pairs.append((column.name, frame_type(column.kind, locales)))
        if column.kind is Kind.TEXT_OR_LOCALISED:
            pairs.append((f"{column.name}_localised", frame_type(Kind.LOCALISED, locales)))
    return pa.struct(pairs)
