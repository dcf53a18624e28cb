"""A kind of record of a vendor: declared as data, asked by a style of paging, with the same verbs everywhere."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pandas as pd

from vendorkit.ask import Filter, find_filter, suggestion
from vendorkit.errors import UsageError
from vendorkit.frames import Page, Schema
from vendorkit.http.call import Call
from vendorkit.pages import P, Reader, Records
from vendorkit.query import Query, Since, Span

if TYPE_CHECKING:
    from vendorkit.vendors.client import Client


class Style(Protocol):
    """How one family of a vendor's endpoints is asked, paged and read."""

    def first_call(self, query: Query) -> Call:
        """Return the first call of a pull."""

    def pages(self, query: Query, reader: Reader[P], limit: int | None, after: Any = None) -> Iterator[P]:
        """Fetch, read and yield the answers one after another, from the start or from *after* on, to the last."""

    def resume_at(self, envelope: Mapping[str, Any]) -> str | int | None:
        """Return what `pages` takes as `after` to go on behind this answer; None where the vendor cannot."""

    def total(self, envelope: Mapping[str, Any]) -> int | None:
        """Return how many records the vendor announces in an answer; None where it does not say."""

    def count(self, query: Query) -> int | None:
        """Return how many records match, by small requests; None where the vendor does not say."""

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Return what turns an answer into a page of Arrow data under *schema*."""

    def record_reader(self, query: Query) -> Reader[Records]:
        """Return what turns an answer into plain dicts."""

    def calls(self, query: Query, rows: int) -> int:
        """Return about how many requests it takes to pull *rows* records."""

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """Fetch one record."""


class OneAnswer(ABC):
    """The part of a style whose vendor gives all records in one answer."""

    @abstractmethod
    def first_call(self, query: Query) -> Call:
        """Return the one call."""

    def pages(
        self,
        query: Query,
        reader: Reader[P],
        limit: int | None,  # noqa: ARG002
        after: Any = None,  # noqa: ARG002
    ) -> Iterator[P]:
        """Yield the one answer."""
        yield reader.read(query.client.session.send(self.first_call(query)).content)

    def resume_at(self, envelope: Mapping[str, Any]) -> str | int | None:  # noqa: ARG002
        """Return None: there is nothing behind the one answer."""
        return None

    def calls(self, query: Query, rows: int) -> int:  # noqa: ARG002
        """Return one."""
        return 1


@runtime_checkable
class Ranged(Protocol):
    """A style whose `pages` can pull parts that were planned before, which are then its query's `span`."""

    def ranges(self, query: Query, parts: int) -> list[Span]:
        """Plan at most about *parts* parts by small requests, in order; none where the answer cannot be parted."""


@runtime_checkable
class Telling(Protocol):
    """A style whose vendor tells what changed: its queries take `since`, and their datasets can be updated."""

    def untold(self, query: Query) -> str | None:
        """Return why the vendor does not tell of changes to what *query* asks for; None where it does."""

    def mark(self, query: Query) -> Since | None:
        """Return where the vendor stands now, for a later `since`; None where it cannot be said."""

    def touched(self, query: Query) -> Iterator[str]:
        """Yield the keys of all records that changed since, of those too that left what *query* asks for."""


@dataclass(frozen=True)
class Resource:
    """
    One kind of record of a vendor.

    Attributes:
        name: Plural, snake_case; also the attribute of the client.
        about: One sentence for people.
        path: Where the vendor keeps it.
        schema: Its declared columns.
        style: How it is asked.
        filters: What it can be narrowed by.
        sort_keys: What it can be sorted by, in the vendor's spelling.
        schema_of: The columns of the answer to one query, where they depend on it.
        expands: Linked resources that can be embedded.
        unreached: Which of the expansions asked for would embed nothing.
        strategies: The ways to pull more than pages can hold, the default first; none where pages hold all.
        nests: Whether the vendor takes filters nested by `and`, `or` and `not`.
    """

    name: str
    about: str
    path: str
    schema: Schema
    style: Style
    filters: tuple[Filter, ...] = ()
    sort_keys: tuple[str, ...] = ()
    schema_of: Callable[[Query], Schema] = field(default=lambda query: query.resource.schema, repr=False)
    expands: tuple[str, ...] = ()
    unreached: Callable[[Sequence[str]], tuple[str, ...]] = field(default=tuple, repr=False)
    strategies: tuple[str, ...] = ()
    nests: bool = False


class BoundResource:
    """A resource of a connected client: `client.brands`. The verbs are the same for all resources of all vendors."""

    def __init__(self, client: Client, resource: Resource) -> None:
        self._client, self._resource = client, resource
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
        *,
        where: Mapping[str, Any] | None = None,
        sort: str | None = None,
        expand: Sequence[str] = (),
        accept: str | None = None,
        strategy: str | None = None,
        since: str | date | int | None = None,
        **filters: Any,
    ) -> Query:
        """
        Return a lazy query for the records that match all *filters*; nothing is sent.

        Args:
            where: The vendor's own nested filter, such as `{"or": [{"brand": 9}, {"not": {"status": "active"}}]}`.
            sort: One of the resource's sort keys; "-createdAt" for descending.
            expand: Linked resources to embed in each record (Mediagenix).
            accept: "json" or "xml", where the vendor speaks both; the frames are equal.
            strategy: "stream" or "windows": how to pull past Medipim's window of 10,000. Both give the same rows; the
                stream in the order asked for and in one request, windows oldest first, and resumable where they broke.
            since: Only records that were made or changed from this moment on, as they are now: a datetime, an ISO 8601
                text, unix seconds. Deleted ones are not shown; `Query.update` takes them out of a dataset.
            filters: The resource's filters by name; None values are left out.

        Raises:
            UsageError: An unknown filter, a value it cannot have, an unknown sort key or expansion; `since` where the
                vendor does not tell what changed.
        """
        resource, chosen = self._resource, _chosen(self._resource, filters)
        if where is not None:
            _check_where(where, resource)
        self._check_choice(sort.removeprefix("-") if sort else None, resource.sort_keys, "sort key")
        for rel in resource.unreached(expand):
            self._check_choice(rel, resource.expands, "expansion")
        accept = accept or self._client.accepts[0]
        self._check_choice(accept, self._client.accepts, "form of answer")
        strategy = strategy or next(iter(resource.strategies), "")
        self._check_choice(strategy or None, resource.strategies, "strategy")
        # Copies: what the caller changes afterwards does not change the query.
        fixed = MappingProxyType(copy.deepcopy(chosen))
        where = copy.deepcopy(where)
        query = Query(self._client, resource, fixed, where, sort, tuple(expand), accept, strategy=strategy)
        if since is None:
            return query
        telling(query)
        return replace(query, since=Since(Filter("since", "moment").value(since)))

    def get(self, identifier: str | int) -> dict[str, Any]:
        """
        Return one record as the vendor sends it.

        Raises:
            NotFound: There is no such record.
        """
        return self._resource.style.get(self._client, self._resource, str(identifier))

    def _check_choice(self, given: str | None, known: Sequence[str], kind: str) -> None:
        if given is not None and given not in known:
            what = f"{self._resource.name} has no {kind} {given!r}."
            raise UsageError(what, remedy=suggestion(given, known))

    def __repr__(self) -> str:
        return f"<{self._client.title}: {self._resource.name}. {self._resource.about}>"


def telling(query: Query) -> Telling:
    """
    Return the style of *query* as one that tells what changed.

    Raises:
        UsageError: It does not, or not for what the query asks.
    """
    style = query.resource.style
    if not isinstance(style, Telling):
        what = f"{query.client.title} does not tell which {query.resource.name} changed."
        raise UsageError(what, remedy="Leave since= out; a saved dataset is deleted and saved again.")
    if why := style.untold(query):
        raise UsageError(why, remedy="Ask without it; a saved dataset is deleted and saved again.")
    return style


def _chosen(resource: Resource, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked values by the vendor's names."""
    chosen: dict[str, Any] = {}
    for name, given in filters.items():
        declared = find_filter(resource.filters, name, resource.name)
        if given is not None:
            chosen[declared.wire] = declared.value(given)
    missing = [f.name for f in resource.filters if f.required and f.wire not in chosen]
    if missing:
        what = f"{resource.name} needs {' and '.join(missing)}."
        raise UsageError(what, remedy=f"Give {', '.join(f'{name}=…' for name in missing)}.")
    return chosen


def _check_where(where: Any, resource: Resource) -> None:
    if not resource.nests:
        what = f"{resource.name} takes no nested filter."
        raise UsageError(what, remedy="Give filters by their names.")
    if not isinstance(where, Mapping) or len(where) != 1:
        what = f"where={str(where)[:80]} is not one filter."
        raise UsageError(what, remedy='Give an object with one key, such as {"and": [ … ]}.')
    (name, inner), *_ = where.items()
    if name in ("and", "or"):
        if not isinstance(inner, (list, tuple)):
            what = f"where: {name!r} does not hold a list."
            raise UsageError(what, remedy="Give it a list of filters.")
        for one in inner:
            _check_where(one, resource)
    elif name == "not":
        _check_where(inner, resource)
    else:
        find_filter(resource.filters, name, resource.name)
