"""
Records to a table one value at a time: the path for the page that does not fit its schema.

Every value ends up somewhere: in its column; in `<column>__raw` where it does
not fit the declared type; in an appended column, as JSON text, where its field
is not declared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import pyarrow as pa

from vendorkit.frames.columns import ENTRIES
from vendorkit.frames.drift import Drift
from vendorkit.frames.names import snake_case
from vendorkit.frames.page import Page
from vendorkit.frames.schema import (
    Column,
    Embedded,
    EmbeddedMany,
    Kind,
    Leaf,
    ListOf,
    Schema,
    Struct,
    Type,
)
from vendorkit.frames.values import MisfitError, dumps, fit, malformed


@dataclass
class _Branch:
    """An object of the record whose fields are columns of their own."""

    children: dict[str, _Branch | list[Leaf]] = field(default_factory=dict)


class LosslessReader:
    """
    Reads the records of one page, as `values.loads` gives them, under a schema.

    Args:
        schema: What to read.
        beside: The schema whose other columns are read elsewhere; appended columns keep clear of their names.
    """

    def __init__(self, schema: Schema, beside: Schema | None = None) -> None:
        self._schema = schema
        self._taken = {leaf.name for leaf in replace(beside or schema, only=None).leaves}
        self._root = _Branch()
        for leaf in schema.leaves:
            branch = self._root
            for key in leaf.path[:-1]:
                branch = branch.children.setdefault(key, _Branch())  # type: ignore[assignment]
            branch.children.setdefault(leaf.path[-1], []).append(leaf)  # type: ignore[union-attr]

    def appended(self, path: tuple[str, ...]) -> str:
        """The column that keeps an undeclared field."""
        name = snake_case("_".join(path))
        return f"{name}__extra" if name in self._taken else name

    def declares(self, name: str) -> bool:
        """Whether a field of the record may be a declared one in another spelling."""
        return _fold(name) in map(_fold, self._root.children)

    def read(self, records: list[Any]) -> Page:
        """
        Return the table of the records and what did not match the schema.

        Raises:
            MalformedAnswer: A record is not an object, or is nested too deep to be kept.
        """
        return self.read_all([records])[0]

    def read_all(self, pages: Sequence[Sequence[Any]]) -> list[Page]:
        """Read pages of few records at the cost of one. Raises as `read` does."""
        if not any(pages):
            return [Page(self._schema.empty()) for _ in pages]
        cells, drifts, row = _Cells(self._schema, sum(map(len, pages)), self.appended), list[Drift](), 0
        for records in pages:
            cells.drift = Drift()
            drifts.append(cells.drift)
            for place, record in enumerate(records):
                if not isinstance(record, dict):
                    what = f"Record {place} of the answer is not an object."
                    raise malformed(what)
                cells.begin(row, record)
                cells.branch(record, self._root, ())
                row += 1
        table, ends = cells.table(), accumulate(map(len, pages))
        slices = [table.slice(end - len(records), len(records)) for records, end in zip(pages, ends, strict=True)]
        return [Page(self._without_empty(one), drift=drift) for one, drift in zip(slices, drifts, strict=True)]

    def _without_empty(self, table: pa.Table) -> pa.Table:
        """The page without columns that were appended for others."""
        appended = table.column_names[len(self._schema.leaves) :]
        return table.drop_columns([name for name in appended if table[name].null_count == len(table)])


class _Cells:
    """The cells of one page while its records are walked."""

    def __init__(self, schema: Schema, rows: int, appended: Callable[[tuple[str, ...]], str]) -> None:
        self._schema = schema
        self._rows = rows
        self._cells: dict[str, list[Any]] = {leaf.name: [None] * rows for leaf in schema.leaves}
        self._extra: dict[str, dict[int, str]] = defaultdict(dict)
        self._appended = appended
        self._unknown: list[tuple[str, ...]] = []
        self.drift = Drift()

    def begin(self, row: int, record: dict[str, Any]) -> None:
        self._row, self._record = row, record

    def branch(self, value: dict[str, Any], branch: _Branch, path: tuple[str, ...]) -> None:
        spelled = _spellings(value, list(branch.children))
        for key, child in branch.children.items():
            item = value.get(spelled.get(key, key))
            here = (*path, spelled.get(key, key))
            if item is None:
                continue
            if isinstance(child, list):
                self._leaf(child, item, here)
            elif isinstance(item, dict) or item == []:
                self.branch(item or {}, child, here)
            else:
                self._keep_unfit(snake_case("_".join((*path, key))), item)
        if self._schema.only is None:
            for key in value:
                if key not in spelled.values():
                    self._keep_unknown((*path, key))

    def _leaf(self, leaves: list[Leaf], value: Any, path: tuple[str, ...]) -> None:
        first = leaves[0]
        self._unknown = []
        try:
            if first.pick:
                text, texts = self._localised(first.kind, value, path)
                for leaf in leaves:
                    found = [text] if leaf.plain and text is not None else [(texts or {}).get(key) for key in leaf.pick]
                    self._cells[leaf.name][self._row] = next((item for item in found if item is not None), None)
            else:
                self._cells[first.name][self._row] = self._fit(first.kind, value, path)
        except MisfitError:
            self._keep_unfit(first.column.name if first.pick else first.name, value)
            return
        if self._schema.only is None:
            for unknown in dict.fromkeys(self._unknown):
                self._keep_unknown(unknown)

    def _fit(self, kind: Type, value: Any, path: tuple[str, ...]) -> Any:
        if value is None:
            return None
        match kind:
            case ListOf(of) if isinstance(value, list):
                each = of if isinstance(of, Kind) else Struct(of)
                return [self._fit(each, item, path) for item in value]
            case Struct(fields) | Embedded(fields) if isinstance(value, dict) or value == []:
                return self._fields(fields, value or {}, path)
            case EmbeddedMany(fields) if isinstance(value, list):
                return self._fit(ListOf(fields), value, path)
            case EmbeddedMany(fields) if isinstance(value, dict):
                self._unknown += [(*path, key) for key in value if key != ENTRIES]
                return self._fit(ListOf(fields), value.get(ENTRIES), (*path, ENTRIES))
            case Kind.LOCALISED:
                return self._localised(kind, value, path)[1]
            case Kind():
                return fit(kind, value)
            case _:
                raise MisfitError

    def _fields(self, fields: tuple[Column, ...], value: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        spelled = _spellings(value, [column.wire for column in fields])
        for column in fields:
            key = spelled.get(column.wire, column.wire)
            item, here = value.get(key), (*path, key)
            if column.kind is Kind.TEXT_OR_LOCALISED:
                text, texts = self._localised(column.kind, item, here)
                found[column.name] = self._best(texts) if text is None else text
                found[f"{column.name}_localised"] = texts
            else:
                found[column.name] = self._fit(column.kind, item, here)
        self._unknown += [(*path, key) for key in value if key not in spelled.values()]
        return found

    def _localised(self, kind: Type, value: Any, path: tuple[str, ...]) -> tuple[str | None, dict[str, Any] | None]:
        """The plain text and the texts by locale; one of them is None."""
        if value is None:
            return None, None
        if isinstance(value, dict) or value == []:
            texts = value or {}
            spelled = _spellings(texts, list(self._schema.locales))
            self._unknown += [(*path, key) for key in texts if key not in spelled.values()]
            return None, {
                key: self._fit(Kind.TEXT, texts.get(spelled.get(key, key)), path) for key in self._schema.locales
            }
        if kind is Kind.LOCALISED:
            raise MisfitError
        return fit(Kind.TEXT, value), None

    def _best(self, texts: dict[str, Any] | None) -> str | None:
        found = ((texts or {}).get(locale) for locale in self._schema.locales)
        return next((text for text in found if text is not None), None)

    def _keep_unfit(self, column: str, value: Any) -> None:
        self.drift.unfit[column] += 1
        self._keep(f"{column}__raw", dumps(value))

    def _keep_unknown(self, path: tuple[str, ...]) -> None:
        self.drift.unknown[".".join(path)] += 1
        self._keep(self._appended(path), dumps(_extract(self._record, path)))

    def _keep(self, name: str, text: str) -> None:
        free, number = name, 1
        while self._row in self._extra.get(free, ()):
            number += 1
            free = f"{name}_{number}"
        self._extra[free][self._row] = text

    def table(self) -> pa.Table:
        arrow = self._schema.arrow
        arrays = {item.name: pa.array(self._cells[item.name], item.type) for item in arrow}
        for name in sorted(self._extra):
            arrays[name] = pa.array([self._extra[name].get(row) for row in range(self._rows)], pa.string())
        return pa.table(arrays)


def _spellings(value: dict[str, Any], declared: list[str]) -> dict[str, str]:
    """How the vendor spells the declared names here: as declared, else with `-` for `_` or in other case."""
    spelled = {name: name for name in declared if name in value}
    if len(spelled) < len(value) and len(spelled) < len(declared):
        loose = {_fold(key): key for key in reversed(value) if key not in spelled}
        for name in declared:
            if name not in spelled and _fold(name) in loose:
                spelled[name] = loose.pop(_fold(name))
    return spelled


def _fold(name: str) -> str:
    return name.replace("-", "_").lower()


def _extract(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path; through a list, the list of what stands there in each element."""
    if isinstance(value, list) and path:
        return [_extract(item, path) for item in value]
    if not path:
        return value
    return _extract(value.get(path[0]), path[1:]) if isinstance(value, dict) else None
