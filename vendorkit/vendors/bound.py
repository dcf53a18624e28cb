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
    """Return the name of the filter that searches the names of a resource by a text; None if there is none."""
    texts = [one.name for one in resource.filters if one.kind == "text"]
    return next((name for name in ("search", "search_name") if name in texts), None)


_ARGUMENTS: Final = ("where", "sort", "expand", "accept", "strategy", "since")  # of query, in addition to the filters


@calls.checked
class BoundResource:
    """
    A resource of a connected client.

    Args:
        client: Fetches its records.
        settings: Give filters their default values.
        resource: Its declaration.
    """

    def __init__(self, client: Source, settings: Settings, resource: Resource) -> None:
        self._client, self._settings, self._resource = client, settings, resource
        self.__doc__ = resource.about

    @property
    def columns(self) -> pd.DataFrame:
        """The declared columns: name, dtype, unit, the vendor's name, meaning."""
        return self._resource.schema.describe()

    @property
    def filters(self) -> pd.DataFrame:
        """The declared filters: name, kind, choices, whether a list is allowed, the vendor's name, meaning."""
        rows = [(f.name, f.kind, ", ".join(f.choices), f.many, f.wire, f.about) for f in self._resource.filters]
        names = ["filter", "kind", "choices", "many", "source", "about"]
        return pd.DataFrame(rows, columns=names)

    def query(
        self,
        *positional: NoReturn,
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
            positional: Refused: filters are given by name.
            where: The vendor's own nested filter, such as `{"or": [{"brand": 9}, {"not": {"status": "active"}}]}`. Its
                values are checked like those of *filters*.
            sort: One of the resource's sort keys; "-createdAt" for descending.
            expand: Linked resources to embed in each record (Mediagenix): a name, or several.
            accept: "json" or "xml", if the vendor has both; the frames are equal.
            strategy: "stream" or "windows": how to fetch more than Medipim's window of 10,000. Both give the same rows;
                the stream in the requested order and in one request, windows oldest first, and resumable.
            since: Only records that were created or changed from this moment on, as they are now: a datetime, an ISO
                8601 text, unix seconds. Deleted ones are not included; `Query.update` removes them from a dataset.
            filters: The resource's filters by name; None values are left out. A list, Series, array or other iterable
                means any of its values; if it has none, nothing matches, and no request is sent. Numbers may be of any
                numeric type, also floats that are whole; times are Python's, NumPy's, pandas' or ISO 8601 texts.

        Raises:
            UsageError: An unknown filter, a value it cannot have, an unknown sort key or expansion; `since` if the
                vendor does not report what changed.
        """
        if positional:
            self._refuse_positional(positional[0])
        resource, client = self._resource, self._client
        ask = self._asked(
            self._checked(filters), where=where, sort=sort, expand=expand, accept=accept, strategy=strategy
        )
        if since is None:
            return Query(client, ask)
        changes_of(resource, ask, client.title)
        return Query(client, replace(ask, since=Since(Filter("since", "moment").value(since))))

    def _asked(
        self,
        chosen: Mapping[str, Any],
        *,
        where: Any = None,
        sort: Any = None,
        expand: Any = (),
        accept: Any = None,
        strategy: Any = None,
    ) -> Ask:
        """Return the query for checked filters, after checking everything else."""
        resource = self._resource
        if where is not None and not resource.nests:
            what = f"{resource.name} takes no nested filter."
            raise UsageError(what, remedy="Give filters by their names.")
        sort = None if sort is None else arguments.word(sort, "sort")
        if sort is not None:
            key = self._choice(sort.removeprefix("-"), resource.sort_keys, "sort key")
            sort = f"-{key}" if sort.startswith("-") else key
        linked = arguments.names(expand, "expand", "a list of linked resources")
        for rel in resource.ineffective(linked):
            linked[linked.index(rel)] = self._choice(rel, resource.expands, "expansion")
        return Ask(
            resource.name,
            chosen,
            None if where is None else self._where(where, ()),
            sort,
            tuple(linked),
            self._choice(accept, self._client.accepts, "format of answers"),
            strategy=self._choice(strategy, resource.strategies, "strategy"),
        )

    def get(self, identifier: str | int) -> dict[str, Any]:
        """
        Return one record as the vendor sends it.

        Raises:
            NotFound: There is no such record.
            UsageError: The identifier is neither a text nor a whole number.
        """
        wanted = arguments.identifier(identifier, "identifier")
        return run(self._resource.paging.get(Ask(self._resource.name), wanted), self._client).records()[0]

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
        Query once per row of *df*, a few at once within the rate budget, and return all records as one frame.

        Args:
            df: Any DataFrame.
            columns: Only these columns of the records, or this one.
            limit: At most this many records per row.
            nested: As in `Query.frame`.
            prefix: Is put before the names of the records' columns.
            expand: As in `query`.
            accept: As in `query`.
            filters: The resource's filters by name; a text that is the name of a column of *df* means its values, all
                else is the value for every row.

        Returns:
            The columns of *df*, then those of the records, then `for_each_error`; in the order of *df* and with its
            index. A row is repeated for each record that was found, and kept with nulls if there is none. Why a row
            failed is in `for_each_error`. Equal rows are asked once; codes, if the vendor takes lists, 1,000 at a time.

        Raises:
            UsageError: No filter names a column, a filter is unknown, or a name is in both frames.
            CredentialsRefused: The vendor refused the credentials.
            Cancelled: Somebody pressed stop.
        """
        names = columns_for(df, filters)
        varied = [self._filter(name) for name in names]
        # What is wrong for every row is raised here, before anything is asked.
        chosen = self._values({name: value for name, value in filters.items() if name not in names})
        self._with_defaults({**chosen, **{one.wire: None for one in varied}})
        base = replace(self._asked(chosen, expand=expand, accept=accept), limit=check_limit(limit))

        def ask(given: Mapping[str, Any]) -> Ask:
            return replace(base, filters=self._with_defaults({**chosen, **self._values(given)}))

        question = ForEach(self._client, self._resource, base, names, varied, arguments.text(prefix, "prefix"))
        return question.frame(df, ask, arguments.columns(columns), checked_nested(nested))

    def _refuse_positional(self, given: Any) -> NoReturn:
        """Raise the error that says how filters are given."""
        remedy = "Write query(name=value); the filters are in the frame .filters."
        if isinstance(given, Mapping) and given and all(isinstance(name, str) for name in given):
            listed = ", ".join(f"{name}={arguments.shown(value)}" for name, value in given.items())
            remedy = f"Write query({listed})." if all(map(str.isidentifier, given)) else remedy
            remedy += " A nested filter goes to where=." if self._resource.nests else ""
        arguments.refuse("query", "called with filters by name", given, remedy)

    def _checked(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the checked values by the vendor's names, with defaults from the settings."""
        return self._with_defaults(self._values(filters))

    def _values(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the checked values by the vendor's names; those that are None are left out."""
        pairs = [(self._filter(name, _ARGUMENTS), given) for name, given in filters.items()]
        return {declared.wire: declared.value(given) for declared, given in pairs if given is not None}

    def _with_defaults(self, chosen: dict[str, Any]) -> dict[str, Any]:
        """Add defaults from the settings; `UsageError` if a filter is missing that is required."""
        resource = self._resource
        for one in resource.filters:
            if one.wire not in chosen and one.setting and (value := self._settings.get(one.setting)):
                chosen[one.wire] = one.value(value)
            if one.setting and one.wire not in chosen and f"{{{one.wire}}}" in resource.path:
                self._settings.require([one.setting], why=f"{resource.name} without {one.name}")
        missing = [f.name for f in resource.filters if f.required and f.wire not in chosen]
        if missing:
            what = f"{resource.name} needs {' and '.join(missing)}."
            raise UsageError(what, remedy=f"Give {', '.join(f'{name}=…' for name in missing)}.")
        return chosen

    def _filter(self, name: str, others: Iterable[str] = ()) -> Filter:
        """Return the filter called *name*, which says how to find ids if it takes those of another resource."""
        found = find_filter(self._resource.filters, name, self._resource.name, others)
        other = self.identified(found)
        if other is None:
            return found
        search = search_filter(other)
        query = "query().frame()" if search is None else f"query({search}={{!r}})"
        return replace(found, lookup=f"{self._client.vendor_name}.{other.name}.{query}")

    def identified(self, declared: Filter) -> Resource | None:
        """Return the resource whose ids a filter takes; None if it takes others."""
        plurals, known = (f"{declared.name}s", f"{declared.name.removesuffix('y')}ies"), self._client.declared
        found = next((known[plural] for plural in plurals if plural in known), None)
        return found if declared.kind == "integer" else None

    def _where(self, where: Any, around: tuple[int, ...]) -> dict[str, Any]:
        """Return a nested filter in the vendor's names, its values checked like those of other filters."""
        if not isinstance(where, Mapping) or len(where) != 1:
            arguments.refuse("where", 'a filter with one key, such as {"and": [ … ]}', where)
        around = arguments.deeper(where, "where", around)
        ((name, inner),) = where.items()
        if name == "not":
            return {name: self._where(inner, around)}
        if name in ("and", "or"):
            listed = arguments.values(inner, "where")
            if listed is None:
                arguments.refuse(f"where[{name!r}]", "a list of filters", inner)
            return {name: [self._where(one, around) for one in listed]}
        declared = self._filter(name)
        value = declared.value(inner)
        if value == []:
            what = f"{declared.name} in where has no values."
            raise UsageError(what, remedy="Leave it out, or do not query: nothing matches it.")
        return {declared.wire: value}

    def _choice(self, given: Any, known: Collection[str], kind: str) -> str:
        """Return *given* if it is *known*; None for the first."""
        return next(iter(known), "") if given is None else choice(given, known, f"{self._resource.name} has no {kind}")

    if not TYPE_CHECKING:  # type checkers find unknown names by themselves

        def __getattr__(self, name: str) -> NoReturn:
            unknown_name(self, f"The resource {self._resource.name}" if name[:1] != "_" else "A resource", name)

    def __repr__(self) -> str:
        return f"<{self._client.title}: {self._resource.name}. {self._resource.about}>"
