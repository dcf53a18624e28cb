"""
A kind of record of a vendor, declared as data; and how its pages are fetched, as flows without I/O.

A flow is a generator. It yields what it wants and is sent the answer:

    page = yield call               the page of this one call, ahead of the queue; of a stream its first block
    yield [call, ...]               adds calls to the queue: they are sent in order, a few at once; nothing comes back
    page = yield NEXT               the next page of the queue, in the order of the calls; a stream gives one per block;
                                    None: the queue is empty
    yield Accept(page, ...)         the rows of this page are part of the result; only now are they given out
    yield DROP                      empties the queue: its pages and errors are never seen
    return value                    ends the flow and drops the queue; only `pages` and `changed_ids` accept pages

An error is raised in the flow at the yield that waits for that page; the flow may catch it. Queue the next call before
you accept a page, so that it is under way while the rows are read.
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
    """What a flow can ask for besides a call."""

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
        cursor: JSON from which `pages(ask, cursor)` continues after this page; None: it cannot.
        total: The number of records that the vendor announces; None if it does not.
    """

    page: Page
    cursor: Any = None
    total: int | None = None


Flow = Generator[Call | Sequence[Call] | Accept | Do, Any, T]  # Any: a flow is sent a Page, or None


@dataclass(frozen=True)
class Cost:
    """The price of a query: the number of requests, the strategy, why it is this one, and how many run at once."""

    requests: int
    strategy: str = "pages"
    why: str = ""
    at_once: int = 1

    def rounds(self, requests: int) -> int:
        """Return how often the vendor is waited for in *requests*: the first goes first, the others `at_once`."""
        return min(requests, 1 - (1 - requests) // self.at_once)


class Paging(ABC):
    """How one family of a vendor's endpoints is queried. Subclasses are frozen dataclasses."""

    @abstractmethod
    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept all pages in order, from the start or from *cursor*. The first call is what `request()` shows."""

    @abstractmethod
    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """Return the page of one record."""

    def arguments_of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of `query` that the JSON body of a first call says: here, each member is a filter."""
        return dict(body)

    def count(self, ask: Ask) -> Flow[int | None]:  # noqa: ARG002
        """Return how many records match, by small requests; None if the vendor does not say."""
        yield from ()
        return None

    def split(self, ask: Ask, parts: int) -> Flow[list[Ask]]:  # noqa: ARG002
        """Return about *parts* queries that together give the result in order; `[ask]` if it cannot be divided."""
        yield from ()
        return [ask]

    def adjacent(self, ask: Ask, cursor: Any, one: Accept) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the cursors of the pages before and after *one*, which began at *cursor*; None if there is none."""
        return None, one.cursor

    def within(self, requests: int | None) -> Paging:  # noqa: ARG002
        """Return the paging that is quickest if so many requests may be sent now; None: any number."""
        return self

    def cost(self, ask: Ask, rows: int) -> Cost:  # noqa: ARG002
        """Return what fetching *rows* records takes."""
        return Cost(1, "one request", "the vendor sends all records in one response")


class Nothing(Paging):
    """The paging of a query that matches nothing, because a filter has no values: nothing is sent."""

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:  # noqa: ARG002
        """Accept no page."""
        yield from ()

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """Raise: a record by its id is no such query."""
        raise NotImplementedError

    def count(self, ask: Ask) -> Flow[int | None]:  # noqa: ARG002
        """Return 0."""
        yield from ()
        return 0

    def cost(self, ask: Ask, rows: int) -> Cost:  # noqa: ARG002
        """Return no requests."""
        return Cost(0, "none", "a filter has no values, so nothing matches")


class Changes(ABC):
    """How a vendor reports what changed: its queries take `since`, and their datasets can be updated."""

    @abstractmethod
    def why_not_incremental(self, ask: Ask) -> str | None:
        """Return why changes of what *ask* queries are not available; None if they are."""

    @abstractmethod
    def position(self, ask: Ask) -> Flow[Since | None]:
        """Return the vendor's position now, for a later `since`; None if it cannot be determined."""

    @abstractmethod
    def changed_ids(self, ask: Ask) -> Flow[None]:
        """Accept pages whose `keys` changed since `ask.since`, including those that left what *ask* queries."""

    def times(self, ask: Ask) -> tuple[str, ...]:  # noqa: ARG002
        """Return the columns by which a record itself says when it may have come to match; none: it does not."""
        return ()

    def came_since(self, ask: Ask, at: float) -> Flow[list[str]]:  # noqa: ARG002
        """Return names of what came since *at*, by the vendor's clock: by one small request."""
        yield from ()
        return []

    @abstractmethod
    def keys(self, page: Page) -> list[str]:
        """Return the keys of the changed records that a page of `changed_ids` names."""


@dataclass(frozen=True)
class Resource:
    """
    One kind of record of a vendor.

    Attributes:
        name: Plural, snake_case; also the attribute of the client.
        about: One sentence for people.
        path: The vendor's path of it; `{name}` is where the value of a filter goes.
        schema: Its declared columns.
        paging: How its pages are fetched.
        filters: The filters it takes.
        sort_keys: The keys it can be sorted by, in the vendor's spelling.
        record_path: The path of one record, with `{id}`; "" if its records have none.
        schema_of: The columns of the answer to one query, if they depend on it.
        expands: Linked resources that can be embedded.
        ineffective: Expansions among those requested that have no effect on this resource.
        strategies: The ways to fetch more than pages can hold, the default first; empty if pages hold everything.
        nests: Whether the vendor takes filters nested by `and`, `or` and `not`.
        changes: How the vendor reports what changed; None if it does not.
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
        """Return how the records of *ask* are fetched."""
        return Nothing() if ask.matches_nothing else self.paging

    def columns_of(self, ask: Ask) -> Schema:
        """Return the declared columns of the answer to *ask*."""
        return self.schema if self.schema_of is None else self.schema_of(ask)


class Source(Protocol):
    """What a query, a download, saved datasets and tools need from a client."""

    vendor_name: str
    environment: str
    accepts: tuple[str, ...]
    session: Session
    snippet_writers: Mapping[str, tuple[str, Callable[[Any], str]]]  # languages of one vendor's clients: label, writer

    @property
    def title(self) -> str:
        """The vendor and the environment, for messages."""

    @property
    def base_url(self) -> str:
        """Scheme, host and port that paths are relative to."""

    @property
    def declared(self) -> Mapping[str, Resource]:
        """The declared resources by name."""

    def resource_of(self, ask: Ask) -> Resource:
        """Return the resource that *ask* queries."""

    def fetch(self, call: Call, stop: Event) -> Iterator[Page]:
        """Send *call* and yield its page, or the blocks of a stream; *stop* ends it early by `Cancelled`."""

    def reopen(self) -> Callable[[], Source]:
        """Return a picklable function that connects again in another process, with credentials found there."""

    def signing(self, scheme: str | None) -> Signing:
        """Return how calls of an authentication scheme are signed, for code in other languages."""

    def connect_arguments(self) -> Mapping[str, Any]:
        """Return the arguments of `connect` that lead to this client, without credentials."""


@dataclass(frozen=True)
class Signing:
    """How a request is authenticated: the kind, the variables with its credentials, where a token is fetched first."""

    kind: Literal["none", "basic", "digest", "bearer", "token"] = "none"
    variables: tuple[str, ...] = ()
    token_url: str = ""


def first_call(resource: Resource, ask: Ask) -> Call:
    """
    Return the first call that fetches *ask*; nothing is sent.

    Raises:
        UsageError: The query cannot be sent as it is.
    """
    return opening(resource.paging.pages(ask))


def opening(flow: Flow[Any]) -> Call:
    """Return the call that *flow* begins with; nothing is sent."""
    step = next(flow)
    flow.close()
    assert not isinstance(step, (Accept, Do))  # noqa: S101 - a flow begins with a call
    return step if isinstance(step, Call) else step[0]


def describe(source: Source, ask: Ask) -> dict[str, Any]:
    """Return the first request of *ask* as plain values, without credentials: enough to repeat it."""
    call = first_call(source.resource_of(ask), ask)
    url = source.session.absolute(call.url)
    request = {"method": call.method, "url": url, "params": dict(call.params), "json": call.json}
    # If changes are read from a feed, its address says nothing of the query.
    return request if ask.since is None else {**request, "since": ask.since.at, "filters": dict(ask.filters)}


def changes_of(resource: Resource, ask: Ask, title: str) -> Changes:
    """
    Return how changes of *ask* are found.

    Raises:
        UsageError: The vendor does not report them, or not for this query.
    """
    if resource.changes is None:
        what = f"{title} does not report which {resource.name} changed."
        raise UsageError(what, remedy="Leave since= out; delete a saved dataset and save it again.")
    if why := resource.changes.why_not_incremental(ask):
        raise UsageError(why, remedy="Query without it; delete a saved dataset and save it again.")
    return resource.changes
