"""
Declarations of a vendor's resources, and the paging flows that fetch their pages without doing I/O.

A flow is a generator. It yields requests to the driver (`pull.drive`), which sends it the results:

    page = yield call               sends this call at once, ahead of the queue; a stream returns its first block
    yield [call, ...]               appends calls to the queue, which are sent in order, a few at once; returns nothing
    page = yield NEXT               the next page of the queue, in the order of the calls; a stream has a page per
                                    block; None if the queue is empty
    yield Accept(page, ...)         adds the rows of this page to the result; other pages are not part of it
    yield DROP                      empties the queue and discards its pages and errors
    return value                    ends the flow and drops the queue; only `pages` and `changed_ids` accept pages

An error is raised in the flow at the yield that waits for that page; the flow may catch it. Queue the next call before
you accept a page, so that the call is under way while the rows are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from threading import Event
from typing import Any, Final, Literal, Protocol, TypeVar

from vendorkit.ask import Ask, Filter, Since
from vendorkit.errors import UsageError
from vendorkit.frames import Page, Schema
from vendorkit.http.call import Call
from vendorkit.http.session import Session

T = TypeVar("T")


class Do(Enum):
    """What a flow can yield apart from calls and accepted pages."""

    NEXT = "next"
    DROP = "drop"


NEXT: Final = Do.NEXT
DROP: Final = Do.DROP


@dataclass(frozen=True)
class Accept:
    """
    A page that belongs to the result.

    Attributes:
        page: The page.
        cursor: JSON value with which `pages(ask, cursor)` continues after this page; None if it cannot.
        total: The number of records that the vendor announces; None if it does not.
    """

    page: Page
    cursor: Any = None
    total: int | None = None


Flow = Generator[Call | Sequence[Call] | Accept | Do, Any, T]  # the driver sends it a Page or None


@dataclass(frozen=True)
class Cost:
    """The cost of a query: the number of requests, the strategy, its reason, and how many requests run at once."""

    requests: int
    strategy: str = "pages"
    why: str = ""
    at_once: int = 1

    def rounds(self, requests: int) -> int:
        """Return the number of round trips that *requests* take: one for the first, then `at_once` at a time."""
        return min(requests, 1 - (1 - requests) // self.at_once)


class Paging(ABC):
    """How one family of a vendor's endpoints returns its pages. Subclasses are frozen dataclasses."""

    @abstractmethod
    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept all pages in order, from the start or from *cursor*; `Query.request()` returns the first call."""

    @abstractmethod
    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """Return the page of one record."""

    def arguments_of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of `query()` whose first call has this JSON body: by default one filter per member."""
        return dict(body)

    def count(self, ask: Ask) -> Flow[int | None]:  # noqa: ARG002
        """Return the number of matching records, found by small requests; None if the vendor does not report it."""
        yield from ()
        return None

    def split(self, ask: Ask, parts: int) -> Flow[list[Ask]]:  # noqa: ARG002
        """Return about *parts* queries whose results, concatenated, are the whole; `[ask]` if it is indivisible."""
        yield from ()
        return [ask]

    def adjacent(self, ask: Ask, cursor: Any, one: Accept) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the cursors of the pages before and after page *one*, fetched from *cursor*; None if there is none."""
        return None, one.cursor

    def for_budget(self, requests: int | None) -> Paging:  # noqa: ARG002
        """Return the fastest variant of this paging if only *requests* may be sent now; None means no limit."""
        return self

    def cost(self, ask: Ask, rows: int) -> Cost:  # noqa: ARG002
        """Return the cost of fetching *rows* records."""
        return Cost(1, "one request", "the vendor sends all records in one response")


class EmptyPaging(Paging):
    """The paging of a query that matches nothing because a filter's list of values is empty. It sends nothing."""

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:  # noqa: ARG002
        """Accept no page."""
        yield from ()

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """Raise `NotImplementedError`: fetching one record by its id uses no filters."""
        raise NotImplementedError

    def count(self, ask: Ask) -> Flow[int | None]:  # noqa: ARG002
        """Return 0."""
        yield from ()
        return 0

    def cost(self, ask: Ask, rows: int) -> Cost:  # noqa: ARG002
        """Return a cost of no requests."""
        return Cost(0, "none", "a filter has no values, so nothing matches")


class Changes(ABC):
    """How a vendor reports changes, for queries with `since` and for updates of datasets."""

    @abstractmethod
    def why_not_incremental(self, ask: Ask) -> str | None:
        """Return why the changes of *ask* cannot be queried; None if they can."""

    @abstractmethod
    def position(self, ask: Ask) -> Flow[Since | None]:
        """Return the vendor's current position, for a later `since`; None if it cannot be determined."""

    @abstractmethod
    def changed_ids(self, ask: Ask) -> Flow[None]:
        """Accept pages whose `keys` changed since `ask.since`, including records that no longer match *ask*."""

    def times(self, ask: Ask) -> tuple[str, ...]:  # noqa: ARG002
        """Return the time columns that show when a record may have begun to match *ask*; empty if there are none."""
        return ()

    def came_since(self, ask: Ask, at: float) -> Flow[list[str]]:  # noqa: ARG002
        """Return names of the records that appeared since *at* by the vendor's clock, found by one small request."""
        yield from ()
        return []

    @abstractmethod
    def keys(self, page: Page) -> list[str]:
        """Return the keys of the changed records on a page of `changed_ids`."""


@dataclass(frozen=True)
class Resource:
    """
    One kind of record of a vendor.

    Attributes:
        name: In the plural and snake_case; also the client's attribute.
        about: A description in one sentence.
        path: The path of the endpoint; `{name}` is replaced by the value of that filter.
        schema: The declared columns.
        paging: How pages are fetched.
        filters: The filters that queries accept.
        sort_keys: The vendor's sort keys.
        record_path: The path of one record, with `{id}`; "" if records have no path.
        schema_of: Returns the columns of the result of one query, if they depend on the query.
        expands: Linked resources that can be embedded.
        ineffective: Returns the requested expansions that have no effect on this resource.
        strategies: Ways to fetch results too large for pages, the default first; empty if pages are enough.
        nests: Whether the vendor accepts filters nested in `and`, `or` and `not`.
        changes: How the vendor reports changes; None if it does not.
    """

    name: str
    about: str
    path: str
    schema: Schema
    paging: Paging
    filters: tuple[Filter, ...] = ()
    sort_keys: tuple[str, ...] = ()
    record_path: str = ""
    schema_of: Callable[[Ask], Schema] | None = field(default=None, repr=False)
    expands: tuple[str, ...] = ()
    ineffective: Callable[[Sequence[str]], tuple[str, ...]] = field(default=tuple, repr=False)
    strategies: tuple[str, ...] = ()
    nests: bool = False
    changes: Changes | None = None

    def paging_of(self, ask: Ask) -> Paging:
        """Return the paging that fetches the records of *ask*."""
        return EmptyPaging() if ask.matches_nothing else self.paging

    def columns_of(self, ask: Ask) -> Schema:
        """Return the declared columns of the result of *ask*."""
        return self.schema if self.schema_of is None else self.schema_of(ask)


class Source(Protocol):
    """What a query, a download, saved datasets and tools need from a client."""

    vendor_name: str
    environment: str
    accepts: tuple[str, ...]
    session: Session
    snippet_writers: Mapping[str, tuple[str, Callable[[Any], str]]]  # by language of the vendor's SDKs: label, writer

    @property
    def title(self) -> str:
        """The names of the vendor and the environment, for messages."""

    @property
    def base_url(self) -> str:
        """The scheme, host and port to which paths are relative."""

    @property
    def declared(self) -> Mapping[str, Resource]:
        """The declared resources by name."""

    def resource_of(self, ask: Ask) -> Resource:
        """Return the resource that *ask* queries."""

    def fetch(self, call: Call, stop: Event) -> Iterator[Page]:
        """Send *call* and yield its page, or the blocks of a stream; raise `Cancelled` soon after *stop* is set."""

    def reopen(self) -> Callable[[], Source]:
        """Return a picklable function that connects again in another process, with the credentials of that process."""

    def signing(self, scheme: str | None) -> Signing:
        """Return how calls of an authentication scheme are signed, for snippets in other languages."""

    def connect_arguments(self) -> Mapping[str, Any]:
        """Return the arguments of `connect()` that create this client, without credentials."""


@dataclass(frozen=True)
class Signing:
    """How a request is authenticated: the scheme, the environment variables with credentials, and any token URL."""

    kind: Literal["none", "basic", "digest", "bearer", "token"] = "none"
    variables: tuple[str, ...] = ()
    token_url: str = ""


def first_call(resource: Resource, ask: Ask) -> Call:
    """
    Return the first call that fetches *ask*, without sending it.

    Raises:
        UsageError: The query cannot be sent, for example because a required filter is missing.
    """
    return opening(resource.paging.pages(ask))


def opening(flow: Flow[Any]) -> Call:
    """Return the first call of *flow*, without sending it."""
    step = next(flow)
    flow.close()
    assert not isinstance(step, (Accept, Do))  # noqa: S101 - a flow begins with a call
    return step if isinstance(step, Call) else step[0]


def describe(source: Source, ask: Ask) -> dict[str, Any]:
    """Return the first request of *ask* as plain values that are enough to repeat it, without credentials."""
    call = first_call(source.resource_of(ask), ask)
    url = source.session.absolute(call.url)
    request = {"method": call.method, "url": url, "params": dict(call.params), "json": call.json}
    # The URL of a change feed does not contain the query's filters.
    return request if ask.since is None else {**request, "since": ask.since.at, "filters": dict(ask.filters)}


def changes_of(resource: Resource, ask: Ask, title: str) -> Changes:
    """
    Return how the changes of *ask* can be queried.

    Raises:
        UsageError: The vendor does not report changes of the resource, or not for this query.
    """
    if resource.changes is None:
        what = f"{title} does not report which {resource.name} changed."
        raise UsageError(what, remedy="Omit since=. To refresh a saved dataset, delete it and save it again.")
    if why := resource.changes.why_not_incremental(ask):
        raise UsageError(why, remedy="Query without it. To refresh a saved dataset, delete it and save it again.")
    return resource.changes
