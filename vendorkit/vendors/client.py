"""The client, in which all vendors share what they have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from types import MappingProxyType
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import urlsplit

import pandas as pd
import requests
from requests.auth import AuthBase

from vendorkit import arguments, calls
from vendorkit.ask import Ask, suggestion, unknown_name
from vendorkit.auth.flow import origin_of
from vendorkit.errors import UsageError
from vendorkit.frames import Page
from vendorkit.http.call import Call, Policy, require_writable
from vendorkit.http.session import Session
from vendorkit.http.tls import public_trust
from vendorkit.query import Query
from vendorkit.resource import Resource, Signing, Source
from vendorkit.settings import Redactor, Settings, is_credential, refuse_pickling
from vendorkit.vendors.bound import BoundResource
from vendorkit.vendors.browsing import Browsing
from vendorkit.vendors.fetch import pages_of
from vendorkit.vendors.files import CONTACT_VARIABLE, files_session
from vendorkit.vendors.hosts import Endpoint, Environment
from vendorkit.vendors.overview import frame_of_exchanges, frame_of_resources

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@calls.checked
class Client:
    """
    A connected vendor; created by `vendorkit.connect`. Each declared resource is an attribute: `client.brands.get(9)`.

    Args:
        endpoint: The host to send requests to.
        settings: The credentials that were found.
        writable: Whether calls that may change data are allowed.
        policy: Timeouts and retries.
    """

    vendor_name: str
    label: ClassVar[str]
    setting_names: ClassVar[tuple[str, ...]]
    accepts: tuple[str, ...] = ("json",)  # the formats of answers, the default first
    environments: ClassVar[Mapping[str, Environment]]
    countries: ClassVar[tuple[str, ...]] = ()  # the platforms that `country=` chooses from, the default first
    local_origins: ClassVar[tuple[str, ...]] = ()  # further mock servers that belong to this vendor
    snippet_writers: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType({})
    approved_roots_only: ClassVar[bool] = False
    asks_contact: ClassVar[bool] = False  # whether the vendor wants to know who fetches its files
    footnote: ClassVar[str] = ""  # one sentence on what the vendor has that no query returns

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
            route=endpoint.route,
            clean=self.clean_answer,
        )
        self.session.schemes.update(self.schemes())
        self._files: Session | None = None

    def _redactor(self) -> Redactor:
        pairs = self.credential_pairs()
        return Redactor([value.reveal() for name, value in self.settings.values.items() if is_credential(name)], pairs)

    def _budget_name(self) -> str:
        # The vendors count by key, whose id names the budget, never its secret.
        users = "".join(user for user, _ in self.credential_pairs() if self.endpoint.rates)
        key = hashlib.sha256(f"{self.endpoint.base_url} {users}".encode()).hexdigest()[:16]
        return f"{self.vendor_name}-{self.environment}-{key}"

    @classmethod
    def url_of(cls, environment: Environment, country: str | None) -> str:  # noqa: ARG003 - for the vendors to look at
        """Return the base URL of an environment, for *country* if the vendor has platforms per country."""
        return environment.base_url

    @classmethod
    def clean_base_url(cls, url: str) -> str:
        """Return a base URL as `Endpoint` wants it."""
        return url.rstrip("/")

    def declare(self) -> Sequence[Resource]:
        """Return the vendor's resources, for this client's country if it matters."""
        raise NotImplementedError

    def schemes(self) -> Mapping[str, AuthBase]:
        """Return the authentication schemes by name; "default" signs calls that name none."""
        raise NotImplementedError

    def credential_pairs(self) -> list[tuple[str, str]]:
        """Return the (user, password) pairs that HTTP Basic or Digest would send, for the redactor."""
        return []

    def may_repeat(self, method: str, path: str) -> bool:  # noqa: ARG002 - for the vendors to look at
        """Tell whether a raw call to this path of the main host only reads, although its method may write."""
        return False

    def clean_answer(self, path: str, body: bytes) -> bytes:  # noqa: ARG002 - for the vendors to look at
        """Return an answer of *path* without secrets, before anything else sees it."""
        return body

    def ping(self) -> str:
        """Make the cheapest authenticated call and return one sentence on the response: here, for one record."""
        next(self.example_query().records(limit=1), None)
        return "the credentials are accepted."

    def signing(self, scheme: str | None) -> Signing:  # noqa: ARG002 - for the vendors to look at
        """Return how calls of an authentication scheme are signed, for code in other languages."""
        return Signing()

    def connect_arguments(self) -> dict[str, Any]:
        """Return the arguments of `connect` that lead to this client, without credentials."""
        return {"environment": self.environment} | ({"country": self.country} if self.countries else {})

    @property
    def country(self) -> str:
        """The country whose platform this is; "" if the vendor has one platform."""
        return (self.settings.get(f"{self.vendor_name.upper()}_COUNTRY") or next(iter(self.countries), "")).lower()

    @property
    def base_url(self) -> str:
        """Scheme, host and port that paths are relative to."""
        return self.endpoint.base_url

    def resource_of(self, ask: Ask) -> Resource:
        """Return the resource that *ask* queries."""
        return self._resources[ask.resource]

    def fetch(self, call: Call, stop: Event) -> Iterator[Page]:
        """Send *call* and yield its page, or the blocks of a stream; *stop* ends it early by `Cancelled`."""
        return pages_of(self.session, call, stop)

    def reopen(self) -> Callable[[], Source]:
        """
        Return a picklable function that connects again in another process, with the credentials found there.

        Raises:
            UsageError: Another process cannot reach what this client is connected to.
        """
        if self.endpoint.reopen is None:
            what = f"{self.title}: other processes cannot connect again, because its settings were passed in code."
            raise UsageError(what, remedy="Put them into the environment or .env of the workers.")
        return self.endpoint.reopen(self.session.policy)

    @property
    def title(self) -> str:
        """The vendor and the environment, for messages."""
        return f"{self.label} ({self.environment})"

    @property
    def declared(self) -> Mapping[str, Resource]:
        """The declared resources by name; `resources` shows them as a table."""
        return self._resources

    @property
    def browsing(self) -> Browsing:
        """The addresses that can be looked at, for `vendorkit.browse`."""
        return Browsing(self, self.settings, self._resources)

    def example_query(self) -> Query:
        """Return the query of `vendorkit demo`: all records of the first resource."""
        return BoundResource(self, self.settings, next(iter(self._resources.values()))).query()

    @property
    def resources(self) -> pd.DataFrame:
        """One row per resource: name, what it is, filters, sort keys, expansions, columns."""
        return frame_of_resources(self._resources)

    def get(
        self, path: str, *, params: Mapping[str, Any] | None = None, auth: str | None = "default"
    ) -> requests.Response:
        """
        GET any path of the vendor; return a `requests.Response`, read to its end, credentials masked.

        Args:
            path: A path, or an absolute URL of the vendor.
            params: Query parameters.
            auth: The scheme that signs it, if the vendor has several; None for none.
        """
        return self._raw("GET", path, params=params, auth=auth)

    def post(
        self, path: str, *, json: Any = None, params: Mapping[str, Any] | None = None, auth: str | None = "default"
    ) -> requests.Response:
        """
        POST to any path of the vendor, as `get`. Calls that may change data need `connect(..., writable=True)`.

        Raises:
            NotAllowed: The call may write, and the client is read-only; nothing was sent.
        """
        return self._raw("POST", path, params=params, json=json, auth=auth)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        auth: str | None = "default",
    ) -> requests.Response:
        """
        Send any method to any path of the vendor, as `get` and `post` do: "PUT", "PATCH", "DELETE", …

        Raises:
            NotAllowed: The call may write, and the client is read-only; nothing was sent.
        """
        method = arguments.word(method, "method", "an HTTP method, such as 'PUT'").upper()
        if method not in _METHODS:
            arguments.refuse("method", f"one of {', '.join(_METHODS)}", method)
        return self._raw(method, path, params=params, json=json, auth=auth)

    def file(self, url: str) -> requests.Response:
        """
        Fetch a file that the vendor links to, such as a photo on its CDN: any https host, without credentials.

        The User-Agent has the contact of the setting VENDORKIT_CONTACT, for which Medipim asks.

        Returns:
            The answer, read to its end; at most 128 MiB.

        Raises:
            SettingsError: The vendor wants a contact, and none is set.
            OriginRefused: The address, or a redirect, is not https.
            VendorkitError: What else went wrong.
        """
        url = arguments.text(url, "url", "the https address of a file")
        if self._files is None:
            is_local = self.environment == "local"
            # Mediagenix's authority is only that of its API: its files are on a public cloud.
            trust = public_trust() if self.approved_roots_only and not is_local else self.endpoint.trust
            contact = self.settings.get(CONTACT_VARIABLE) or "mock server" * is_local
            self._files = files_session(self.session, trust, contact, needed=self.asks_contact)
        return self._files.send(Call("GET", url, accept="any", scheme=None))

    def _raw(self, method: str, path: Any, *, params: Any, auth: Any, json: Any = None) -> requests.Response:
        auth = None if auth is None else arguments.word(auth, "auth", "the name of a scheme, or None")
        if auth is not None and auth not in self.session.schemes:
            self.missing_scheme(auth)
        path = arguments.text(path, "path", "a path, or an address of the vendor")
        params = arguments.parameters({} if params is None else params, "params")
        json = None if json is None else arguments.json_value(json, "json")
        call = Call(method, path, params=params, json=json, accept="any", scheme=auth)
        # Asked of the address as it is sent, without dots and blanks: "/delete?/query" only ends like one that reads.
        sent = str(self.session.prepare(call).url)
        reads = origin_of(sent) == origin_of(self.base_url) and self.may_repeat(method, urlsplit(sent).path)
        call = replace(call, repeatable=call.may_repeat() or reads)
        require_writable(call, writable=self.writable)
        return self.session.send(call)

    @property
    def exchanges(self) -> pd.DataFrame:
        """One row for each of the last HTTP exchanges, those of authentication too, credentials masked."""
        return frame_of_exchanges(self.session.exchanges.all())

    def missing_scheme(self, name: str) -> NoReturn:
        """Raise the error that says why there is no authentication scheme *name*."""
        what = f"{self.title} has no authentication scheme {name!r}."
        raise UsageError(what, remedy=suggestion(name, [one for one in self.session.schemes if one != "default"]))

    def __getattr__(self, name: str) -> BoundResource:
        resources = self.__dict__.get("_resources", {})
        if name not in resources:
            unknown_name(self, type(self).__name__, name, resources)
        return BoundResource(self, self.settings, resources[name])

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._resources]

    def __repr__(self) -> str:
        parts = [f"{len(self._resources)} resources", *self.endpoint.remarks.values()]
        return f"<{self.title} at {self.endpoint.base_url}, {'; '.join(parts)}>"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A client")
