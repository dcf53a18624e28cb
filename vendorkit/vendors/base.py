"""What the vendors share: their description as data, resources with the same verbs, and the client."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, NoReturn, Protocol, runtime_checkable
from urllib.parse import urlsplit

import pandas as pd
import requests
from requests.auth import AuthBase

from vendorkit.call import Call, Policy, require_writable
from vendorkit.credentials import Redactor, Settings, refuse_pickling
from vendorkit.errors import UsageError
from vendorkit.frames import Page, Schema
from vendorkit.pages import P, Reader, Records
from vendorkit.query import Query, Span
from vendorkit.session import Session
from vendorkit.tls import Trust
from vendorkit.vendors.filters import Filter, find_filter, suggestion

# Settings that may be shown, so that messages about them stay readable.
_NO_SECRETS: Final = ("_UID", "_COUNTRY", "_ENVIRONMENT", "_BASE_URL")


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
        """Return how many records match, by one small request; None where the vendor does not say."""

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Return what turns an answer into a page of Arrow data under *schema*."""

    def record_reader(self, query: Query) -> Reader[Records]:
        """Return what turns an answer into plain dicts."""

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """Fetch one record."""


@runtime_checkable
class Ranged(Protocol):
    """A style whose `pages` can pull parts that were planned before, which are then its query's `span`."""

    def ranges(self, query: Query, parts: int) -> list[Span]:
        """Plan at most about *parts* parts by small requests, in order; none where the answer cannot be parted."""


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
            filters: The resource's filters by name; None values are left out.

        Raises:
            UsageError: An unknown filter, a value it cannot have, an unknown sort key or expansion.
        """
        resource = self._resource
        chosen: dict[str, Any] = {}
        for name, given in filters.items():
            declared = find_filter(resource.filters, name, resource.name)
            if given is not None:
                chosen[declared.wire] = declared.value(given)
        missing = [f.name for f in resource.filters if f.required and f.wire not in chosen]
        if missing:
            what = f"{resource.name} needs {' and '.join(missing)}."
            raise UsageError(what, remedy=f"Give {', '.join(f'{name}=…' for name in missing)}.")
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
        return Query(self._client, resource, fixed, where, sort, tuple(expand), accept, strategy=strategy)

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


def _check_where(where: Any, resource: Resource) -> None:
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


@dataclass(frozen=True)
class Environment:
    """
    One of a vendor's environments.

    Attributes:
        base_url: Scheme, host and port, with `{country}` where it depends on it.
        rates: The vendor's rate budget: pairs (requests, seconds).
        origins: Further hosts of the vendor, by name.
    """

    base_url: str
    rates: tuple[tuple[int, float], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """Where a client is connected to: the environment, resolved."""

    environment: str
    base_url: str
    trust: Trust
    rates: tuple[tuple[int, float], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


class Client:
    """
    A connected vendor; made by `vendorkit.connect`. Sends nothing until it is asked something.

    Each declared resource is an attribute: `client.brands.query(...)`, `client.brands.get(9)`.

    Args:
        endpoint: Where to send requests, and whom to trust there.
        settings: The credentials that were found.
        writable: Whether calls that may change data are allowed.
        policy: Timeouts and retries.
    """

    vendor_name: ClassVar[str]
    label: ClassVar[str]
    setting_names: ClassVar[tuple[str, ...]]
    accepts: ClassVar[tuple[str, ...]] = ("json",)  # the forms of answer, the default first
    environments: ClassVar[Mapping[str, Environment]]
    approved_roots_only: ClassVar[bool] = False

    def __init__(
        self, endpoint: Endpoint, settings: Settings, *, writable: bool = False, policy: Policy | None = None
    ) -> None:
        self.endpoint, self.settings, self.writable = endpoint, settings, writable
        self.environment = endpoint.environment
        self._resources = {resource.name: resource for resource in self.declare()}
        self.session = Session(
            self.title,
            endpoint.base_url,
            schemes={},
            trust=endpoint.trust,
            redactor=self._redactor(),
            rates=endpoint.rates,
            budget_name=self._budget_name(),
            policy=policy,
            origins=tuple(endpoint.origins.values()),
        )
        self.session.schemes.update(self.schemes())

    def _redactor(self) -> Redactor:
        pairs = self.credential_pairs()
        secrets = [value for name, value in self.settings.values.items() if not name.endswith(_NO_SECRETS)]
        return Redactor([secret.reveal() for secret in secrets], pairs)

    def _budget_name(self) -> str:
        # The vendors count by key: by its id, and never by the secret, is a budget named.
        users = "".join(user for user, _ in self.credential_pairs() if self.endpoint.rates)
        key = hashlib.sha256(f"{self.endpoint.base_url} {users}".encode()).hexdigest()[:16]
        return f"{self.vendor_name}-{self.environment}-{key}"

    def declare(self) -> Sequence[Resource]:
        """Return the vendor's resources, for this client's country where it matters."""
        raise NotImplementedError

    def schemes(self) -> Mapping[str, AuthBase]:
        """Return the authentication schemes by name; "default" is one of them where there is one."""
        raise NotImplementedError

    def credential_pairs(self) -> list[tuple[str, str]]:
        """Return the (user, password) pairs that HTTP Basic or Digest would send, for the redactor."""
        return []

    def may_repeat(self, method: str, path: str) -> bool:  # noqa: ARG002 - for the vendors to look at
        """Tell whether a raw call only reads, although its method may write."""
        return method in ("GET", "HEAD")

    def ping(self) -> str:
        """Make the cheapest authenticated call, and return one sentence on what came back."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """The vendor and the environment, for messages."""
        return f"{self.label} ({self.environment})"

    @property
    def resources(self) -> pd.DataFrame:
        """One row a resource: name, what it is, filters, sort keys, expansions, columns."""
        rows = [
            (
                r.name,
                r.about,
                ", ".join(f.name for f in r.filters),
                ", ".join(r.sort_keys),
                ", ".join(r.expands),
                len(r.schema.arrow.names),
            )
            for r in self._resources.values()
        ]
        names = ["resource", "about", "filters", "sort_keys", "expand", "columns"]
        return pd.DataFrame(rows, columns=names).set_index("resource")

    def get(
        self, path: str, *, params: Mapping[str, Any] | None = None, auth: str | None = "default"
    ) -> requests.Response:
        """
        GET any path of the vendor; return requests' own response, read to its end, credentials masked.

        Args:
            path: A path, or an absolute URL of the vendor.
            params: Query parameters.
            auth: The scheme that signs it, where the vendor has several; None for none.
        """
        return self._raw("GET", path, params=params or {}, auth=auth)

    def post(
        self, path: str, *, json: Any = None, params: Mapping[str, Any] | None = None, auth: str | None = "default"
    ) -> requests.Response:
        """
        POST to any path of the vendor, as `get`. Calls that may change data need `connect(..., writable=True)`.

        Raises:
            NotAllowed: The call may write, and the client is read-only; nothing was sent.
        """
        return self._raw("POST", path, params=params or {}, json=json, auth=auth)

    def _raw(
        self, method: str, path: str, *, params: Mapping[str, Any], auth: str | None, json: Any = None
    ) -> requests.Response:
        if auth is not None and auth not in self.session.schemes:
            self.missing_scheme(auth)
        repeatable = self.may_repeat(method, path)
        call = Call(method, path, params=params, json=json, accept="any", repeatable=repeatable, scheme=auth)
        require_writable(call, writable=self.writable)
        return self.session.send(call)

    @property
    def exchanges(self) -> pd.DataFrame:
        """One row for each of the last HTTP exchanges, those of authentication too, credentials masked."""
        rows = [
            (
                e.method,
                urlsplit(e.url).path,
                e.status,
                e.sent.get("Authorization", ""),
                e.received.get("WWW-Authenticate", ""),
                round(e.seconds * 1000, 1),
            )
            for e in self.session.exchanges.all()
        ]
        names = ["method", "path", "status", "authorization", "challenge", "milliseconds"]
        return pd.DataFrame(rows, columns=names)

    def missing_scheme(self, name: str) -> NoReturn:
        """Raise the error that says why there is no authentication scheme *name*."""
        known = [scheme for scheme in self.session.schemes if scheme != "default"]
        what = f"{self.title} has no authentication scheme {name!r}."
        raise UsageError(what, remedy=suggestion(name, known))

    def __getattr__(self, name: str) -> BoundResource:
        resources = self.__dict__.get("_resources", {})
        if name in resources:
            return BoundResource(self, resources[name])
        what = f"{type(self).__name__} has no resource or attribute {name!r}."
        raise AttributeError(what if name.startswith("_") else f"{what} {suggestion(name, resources)}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._resources]

    def __repr__(self) -> str:
        return f"<{self.title} at {self.endpoint.base_url}, {len(self._resources)} resources>"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A client")
