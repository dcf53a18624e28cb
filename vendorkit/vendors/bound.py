"""A resource of a connected client: `client.brands`. The verbs are the same for all resources of all vendors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pandas as pd

from vendorkit import arguments, calls
from vendorkit.ask import Ask, Filter, Since, choice, find_filter, unknown_name
from vendorkit.errors import UsageError
from vendorkit.frames import Nested
from vendorkit.pull import check_limit, run
from vendorkit.query import Query, checked_nested
from vendorkit.resource import Resource, Source, changes_of
from vendorkit.settings import Settings
from vendorkit.vendors.foreach import ForEach, columns_for


def search_filter(resource: Resource) -> str | None:
    """Return the filter that searches a resource's names for a text; None if it has no such filter."""
    text_filters = [known.name for known in resource.filters if known.kind == "text"]
    return next((name for name in ("search", "search_name") if name in text_filters), None)


_ARGUMENTS: Final = ("where", "sort", "expand", "accept", "strategy", "since")  # of `query`, other than filters
_OF_FRAME: Final = {"columns", "limit", "locale", "nested"}  # some are also the name of a filter


@calls.checked
class BoundResource:
    """
    A resource of a connected client.

    Args:
        client: The client that fetches the records.
        settings: Default values of filters.
        resource: The declaration of the resource.
    """

    def __init__(self, client: Source, settings: Settings, resource: Resource) -> None:
        self._client, self._settings, self._resource = client, settings, resource
        self.__doc__ = resource.about

    @property
    def columns(self) -> pd.DataFrame:
        """The declared columns: name, dtype, unit, the vendor's name, description."""
        return self._resource.schema.describe()

    @property
    def filters(self) -> pd.DataFrame:
        """The declared filters: name, kind, choices, whether a list is allowed, the vendor's name, description."""
        rows = [(f.name, f.kind, ", ".join(f.choices), f.many, f.wire, f.about) for f in self._resource.filters]
        names = ["filter", "kind", "choices", "many", "source", "about"]
        return pd.DataFrame(rows, columns=names)

    def query(
        self,
        *,
        where: Mapping[str, Any] | None = None,
        sort: str | None = None,
        expand: str | Iterable[str] = (),
        accept: str | None = None,
        strategy: str | None = None,
        since: str | date | int | None = None,
        **filters: Any,
    ) -> Query:
        """
        Return a lazy query for the records that match all *filters*; nothing is sent.

        Args:
            where: The vendor's own nested filter, such as `{"or": [{"brand": 9}, {"not": {"status": "active"}}]}`. Its
                values are checked like those of *filters*.
            sort: One of the resource's sort keys; "-createdAt" for descending.
            expand: One or more linked resources to embed in each record (Mediagenix).
            accept: "json" or "xml", if the vendor has both. The frames are equal.
            strategy: How to fetch more than the 10,000 records that Medipim's pages show: "stream" or "windows". Both
                return the same rows. A stream is one request, in the requested order. Windows can be resumed, and
                return the oldest records first.
            since: Only records created or changed at or after this moment, in their current state: a datetime, an ISO
                8601 string or unix seconds. Deleted ones are not included; `Query.update` removes them from a dataset.
            filters: The resource's filters by name; None means no filter. A list, Series, array or other iterable
                matches any of its values; if it is empty, nothing matches and no request is sent. Numbers may have any
                numeric type, including floats without a fraction. Times may be objects of Python, NumPy or pandas, or
                ISO 8601 strings.

        Raises:
            UsageError: A filter, sort key or expansion is unknown, the value of a filter is invalid, or `since` was
                given and the vendor does not report changes.
        """
        values = self._with_defaults(self._values(filters))
        ask = self._build_ask(values, where=where, sort=sort, expand=expand, accept=accept, strategy=strategy)
        if since is None:
            return Query(self._client, ask)
        changes_of(self._resource, ask, self._client.title)
        return Query(self._client, replace(ask, since=Since(Filter("since", "moment").value(since))))

    def _build_ask(
        self,
        values: Mapping[str, Any],
        *,
        where: Any = None,
        sort: Any = None,
        expand: Any = (),
        accept: Any = None,
        strategy: Any = None,
    ) -> Ask:
        """Return the query for filter *values* that are already checked; the other arguments are checked here."""
        resource = self._resource
        if where is not None and not resource.nests:
            what = f"{resource.name} does not accept where=."
            raise UsageError(what, remedy="Pass the filters by name.")
        sort = None if sort is None else arguments.word(sort, "sort")
        if sort is not None:
            key = self._choice(sort.removeprefix("-"), resource.sort_keys, "sort key")
            sort = f"-{key}" if sort.startswith("-") else key
        rels = arguments.names(expand, "expand", "a list of linked resources")
        for rel in resource.ineffective(rels):
            rels[rels.index(rel)] = self._choice(rel, resource.expands, "expansion")
        return Ask(
            resource.name,
            values,
            None if where is None else self._where(where, ()),
            sort,
            tuple(rels),
            self._choice(accept, self._client.accepts, "response format"),
            strategy=self._choice(strategy, resource.strategies, "strategy"),
        )

    def get(self, identifier: str | int) -> dict[str, Any]:
        """
        Return one record as the vendor sends it.

        Raises:
            NotFound: There is no such record.
            UsageError: The identifier is neither a string nor a whole number.
        """
        checked = arguments.identifier(identifier, "identifier")
        return run(self._resource.paging.get(Ask(self._resource.name), checked), self._client).records()[0]

    def for_each(
        self,
        df: pd.DataFrame,
        *,
        columns: str | Iterable[str] | None = None,
        limit: int | None = None,
        nested: Nested = "list",
        prefix: str = "",
        expand: str | Iterable[str] = (),
        accept: str | None = None,
        **filters: Any,
    ) -> pd.DataFrame:
        """
        Query once per row of *df*, a few rows at once within the rate budget, and return all records as one frame.

        Args:
            df: Any DataFrame.
            columns: One or more columns of the records to return; None for all.
            limit: At most this many records per row.
            nested: As in `Query.frame`.
            prefix: Prefix for the names of the records' columns.
            expand: As in `query`.
            accept: As in `query`.
            filters: The resource's filters by name. The name of a column of *df* as value means the values of that
                column; any other value applies to every row.

        Returns:
            The columns of *df*, then those of the records, then `for_each_error`: why the row failed. Rows have the
            order and the index of *df*. A row is repeated for each matching record, and has nulls if there is none.
            Equal rows are queried once. If the vendor accepts lists of codes, they are queried 1,000 at a time.

        Raises:
            UsageError: No filter names a column, a filter is unknown, or both frames have a column of the same name.
            CredentialsRefused: The vendor refused the credentials.
            Cancelled: The user cancelled.
        """
        names = columns_for(df, filters)
        row_filters = [self._filter(name) for name in names]
        # Errors that concern every row are raised here, before the first request.
        constants = self._values({name: value for name, value in filters.items() if name not in names})
        self._with_defaults({**constants, **{declared.wire: None for declared in row_filters}})
        base = replace(self._build_ask(constants, expand=expand, accept=accept), limit=check_limit(limit))

        def ask_for(row_values: Mapping[str, Any]) -> Ask:
            return replace(base, filters=self._with_defaults({**constants, **self._values(row_values)}))

        prefix = arguments.text(prefix, "prefix")
        per_row = ForEach(self._client, self._resource, base, names, row_filters, prefix, ask_for)
        return per_row.frame(df, arguments.columns(columns), checked_nested(nested))

    def _values(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the checked values by the vendor's names, without those that are None."""
        values: dict[str, Any] = {}
        for name, given in filters.items():
            declared = self._filter(name, _ARGUMENTS)
            if declared.wire in values:
                what = f"The filter {declared.name} is given twice, also as {declared.wire}."
                raise UsageError(what, remedy="Omit one of them.")
            if given is not None:
                values[declared.wire] = declared.value(given)
        return values

    def _with_defaults(self, values: dict[str, Any]) -> dict[str, Any]:
        """Add defaults from the settings; `UsageError` if a required filter is missing."""
        resource = self._resource
        for declared in resource.filters:
            if declared.wire not in values and declared.setting and (default := self._settings.get(declared.setting)):
                values[declared.wire] = declared.value(default)
            if declared.setting and declared.wire not in values and f"{{{declared.wire}}}" in resource.path:
                self._settings.require([declared.setting], why=f"{resource.name} without {declared.name}")
        missing = [known.name for known in resource.filters if known.required and known.wire not in values]
        if missing:
            what = f"{resource.name} needs {' and '.join(missing)}."
            raise UsageError(what, remedy=f"Give {', '.join(f'{name}=…' for name in missing)}.")
        return values

    def _filter(self, name: str, others: Iterable[str] = ()) -> Filter:
        """Return the filter called *name*. If its values are ids of another resource, it has the code to find them."""
        if name in _OF_FRAME - {known.name for known in self._resource.filters}:
            what = f"{self._resource.name} has no filter {name!r}."
            raise UsageError(what, remedy=f"It is an argument of frame(): query(…).frame({name}=…).")
        declared = find_filter(self._resource.filters, name, self._resource.name, others)
        target = self.identified(declared)
        if target is None:
            return declared
        search = search_filter(target)
        query = "query().frame()" if search is None else f"query({search}={{!r}})"
        return replace(declared, lookup=f"{self._client.vendor_name}.{target.name}.{query}")

    def identified(self, declared: Filter) -> Resource | None:
        """Return the resource whose ids a filter accepts; None if its values are not ids."""
        plurals, known = (f"{declared.name}s", f"{declared.name.removesuffix('y')}ies"), self._client.declared
        target = next((known[plural] for plural in plurals if plural in known), None)
        return target if declared.kind == "integer" else None

    def _where(self, where: Any, enclosing: tuple[int, ...]) -> dict[str, Any]:
        """Return a nested filter with the vendor's names and checked values."""
        if not isinstance(where, Mapping) or len(where) != 1:
            arguments.refuse("where", 'a filter with one key, such as {"and": [ … ]}', where)
        enclosing = arguments.deeper(where, "where", enclosing)
        ((name, operand),) = where.items()
        if name == "not":
            return {name: self._where(operand, enclosing)}
        if name in ("and", "or"):
            parts = arguments.values(operand, "where")
            if parts is None:
                arguments.refuse(f"where[{name!r}]", "a list of filters", operand)
            return {name: [self._where(part, enclosing) for part in parts]}
        declared = self._filter(name)
        value = declared.value(operand)
        if value == []:
            what = f"{declared.name} in where= has an empty list, so nothing matches."
            raise UsageError(what, remedy="Leave the filter out, or skip the query.")
        return {declared.wire: value}

    def _choice(self, given: Any, known: Collection[str], kind: str) -> str:
        """Return *given* if it is *known*, and the first of *known* if *given* is None."""
        return next(iter(known), "") if given is None else choice(given, known, f"{self._resource.name} has no {kind}")

    if not TYPE_CHECKING:  # type checkers report unknown names themselves

        def __getattr__(self, name: str) -> NoReturn:
            title = f"The resource {self._resource.name}" if name[:1] != "_" else "A resource"
            unknown_name(self, title, name, call="query()" if callable(getattr(Query, name, None)) else "")

    def __repr__(self) -> str:
        return f"<{self._client.title}: {self._resource.name}. {self._resource.about}>"
