"""The base class of the vendors' clients."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, NoReturn
from urllib.parse import urlsplit

import pandas as pd
import requests
from requests.auth import AuthBase

from vendorkit import arguments, calls
from vendorkit.ask import Ask, choice, suggestion, unknown_name
from vendorkit.auth import Basic, Digest
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
    A connected vendor, created by `vendorkit.connect`. Each declared resource is an attribute: `client.brands.get(9)`.

    Args:
        endpoint: The host to send requests to.
        settings: The credentials and other settings.
        writable: Whether calls that may change data are allowed.
        policy: Timeouts and retries.

    Attributes:
        environment: The name of the environment.
        base_url: Scheme, host and port that paths are relative to.
        title: The vendor and the environment, for messages.
        country: The country of the platform; "" if the vendor has only one platform.
        declared: The declared resources by name; `resources` shows them as a table.
    """

    vendor_name: str
    label: ClassVar[str]
    setting_names: ClassVar[tuple[str, ...]]
    accepts: tuple[str, ...] = ("json",)  # response formats, the default first
    environments: ClassVar[Mapping[str, Environment]]
    countries: ClassVar[tuple[str, ...]] = ()  # the values of `country=`, the default first
    local_origins: ClassVar[tuple[str, ...]] = ()  # the names of the vendor's further mock servers
    snippet_writers: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType({})
    approved_roots_only: ClassVar[bool] = False
    asks_contact: ClassVar[bool] = False  # whether file downloads must name a contact
    # By name of the authentication scheme: its kind, and the settings with user and password, which are required.
    logins: ClassVar[Mapping[str, tuple[Literal["basic", "digest"], str, str]]] = MappingProxyType({})
    footnote: ClassVar[str] = ""  # one sentence about data that no query returns

    def __init__(
        self, endpoint: Endpoint, settings: Settings, *, writable: bool = False, policy: Policy | None = None
    ) -> None:
        self.endpoint, self.settings, self.writable = endpoint, settings, writable
        self.environment, self.base_url = endpoint.environment, endpoint.base_url
        self.title = f"{self.label} ({self.environment})"
        self.country = (settings.get(f"{self.vendor_name.upper()}_COUNTRY") or next(iter(self.countries), "")).lower()
        self.declared: Mapping[str, Resource] = {resource.name: resource for resource in self.declare()}
        secrets = [value for name, value in settings.values.items() if is_credential(name)]
        self.session = Session(
            self.title,
            endpoint.base_url,
            schemes={},
            trust=endpoint.trust,
            redactor=Redactor([value.reveal() for value in secrets], self.credential_pairs()),
            rates=endpoint.rates,
            budget_name=self._budget_name(),
            policy=policy,
            origins=tuple(endpoint.origins.values()),
            route=endpoint.route,
            clean=self.clean_answer,
        )
        self.session.schemes.update(self.schemes())
        self._files: Session | None = None

    def _budget_name(self) -> str:
        # The vendors count requests per key. The name contains a hash of the key's id, never of its secret.
        users = "".join(user for user, _ in self.credential_pairs() if self.endpoint.rates)
        digest = hashlib.sha256(f"{self.endpoint.base_url} {users}".encode()).hexdigest()[:16]
        return f"{self.vendor_name}-{self.environment}-{digest}"

    @classmethod
    def url_of(cls, environment: Environment, country: str | None) -> str:  # noqa: ARG003 - used by subclasses
        """Return the base URL of an environment, for *country* if the vendor has platforms per country."""
        return environment.base_url

    @classmethod
    def clean_base_url(cls, url: str) -> str:
        """Return *url* normalised for `Endpoint`."""
        return url.rstrip("/")

    def declare(self) -> Sequence[Resource]:
        """Return the vendor's resources. They may depend on the client's country."""
        raise NotImplementedError

    def schemes(self) -> Mapping[str, AuthBase]:
        """Return the authentication schemes by name. Calls that do not name one use "default"."""
        pairs = zip(self.logins.items(), self.credential_pairs(), strict=True)
        return {name: (Basic if kind == "basic" else Digest)(*pair) for (name, (kind, *_)), pair in pairs}

    def credential_pairs(self) -> list[tuple[str, str]]:
        """Return the (user, password) pairs that HTTP Basic or Digest would send, for the redactor."""
        found = self.settings.require([name for _, *names in self.logins.values() for name in names], why=self.title)
        return [(found[user], found[password]) for _, user, password in self.logins.values()]

    def may_repeat(self, method: str, path: str) -> bool:  # noqa: ARG002 - used by subclasses
        """Return whether a raw call to *path* on the main host only reads, although *method* could write."""
        return False

    def clean_answer(self, path: str, body: bytes) -> bytes:  # noqa: ARG002 - used by subclasses
        """Return the response body of *path* with secrets removed. Called before any other code receives the body."""
        return body

    def ping(self) -> str:
        """Make the cheapest authenticated call (by default for one record); return one sentence on the response."""
        next(self.example_query().records(limit=1), None)
        return "the credentials are accepted."

    def signing(self, scheme: str | None) -> Signing:
        """Return how an authentication scheme signs calls, for generated code in other languages."""
        if scheme is None or scheme not in self.logins:
            return Signing()
        kind, *names = self.logins[scheme]
        return Signing(kind, tuple(names))

    def connect_arguments(self) -> dict[str, Any]:
        """Return the arguments of `connect` that create this client, without credentials."""
        return {"environment": self.environment} | ({"country": self.country} if self.countries else {})

    def resource_of(self, ask: Ask) -> Resource:
        """Return the resource that *ask* queries."""
        return self.declared[ask.resource]

    def fetch(self, call: Call, stop: Event) -> Iterator[Page]:
        """Send *call* and yield its page, or the blocks of a stream. Setting *stop* raises `Cancelled`."""
        return pages_of(self.session, call, stop)

    def reopen(self) -> Callable[[], Source]:
        """
        Return a picklable function that connects again in another process, with the credentials of that process.

        Raises:
            UsageError: Another process cannot connect to the same server.
        """
        if self.endpoint.reopen is None:
            what = f"{self.title}: other processes cannot connect, because the settings were passed in code."
            raise UsageError(what, remedy="Set them in the environment or the .env file of the workers.")
        return self.endpoint.reopen(self.session.policy)

    @property
    def browsing(self) -> Browsing:
        """The addresses that `vendorkit.browse` can show."""
        return Browsing(self, self.settings)

    def example_query(self) -> Query:
        """Return the query that `vendorkit demo` runs, by default for all records of the first resource."""
        return BoundResource(self, self.settings, next(iter(self.declared.values()))).query()

    @property
    def resources(self) -> pd.DataFrame:
        """One row per resource: name, description, filters, sort keys, expansions, number of columns."""
        return frame_of_resources(self.declared)

    def get(
        self, path: str, *, params: Mapping[str, Any] | None = None, auth: str | None = "default"
    ) -> requests.Response:
        """
        Send GET to any path of the vendor. The `requests.Response` is fully read, with credentials masked.

        Args:
            path: A path, or an absolute URL of the vendor.
            params: Query parameters.
            auth: The authentication scheme, if the vendor has several. None sends no credentials.
        """
        return self._raw("GET", path, params=params, auth=auth)

    def post(
        self, path: str, *, json: Any = None, params: Mapping[str, Any] | None = None, auth: str | None = "default"
    ) -> requests.Response:
        """
        Send POST to any path of the vendor; see `get`. Calls that may change data need `connect(..., writable=True)`.

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
        Send any method ("PUT", "PATCH", "DELETE", …) to any path of the vendor; see `get` and `post`.

        Raises:
            NotAllowed: The call may write, and the client is read-only; nothing was sent.
        """
        method = choice(method, _METHODS, "There is no HTTP method")
        return self._raw(method, path, params=params, json=json, auth=auth)

    def file(self, url: str) -> requests.Response:
        """
        Fetch a file that the vendor links to, such as a photo on its CDN. Any https host; no credentials are sent.

        The User-Agent contains the contact from the setting VENDORKIT_CONTACT, which Medipim requires.

        Returns:
            The response, fully read; at most 128 MiB.

        Raises:
            SettingsError: The vendor requires a contact, and none is set.
            OriginRefused: The URL, or a redirect, is not https.
            VendorkitError: The request failed for another reason.
        """
        url = arguments.text(url, "url", "the https URL of a file")
        if self._files is None:
            is_local = self.environment == "local"
            # The approved authority signs the vendor's API only, not its files, which are on a public cloud.
            trust = public_trust() if self.approved_roots_only and not is_local else self.endpoint.trust
            contact = self.settings.get(CONTACT_VARIABLE) or "mock server" * is_local
            self._files = files_session(self.session, trust, contact, needed=self.asks_contact)
        return self._files.send(Call("GET", url, accept="any", scheme=None))

    def _raw(self, method: str, path: Any, *, params: Any, auth: Any, json: Any = None) -> requests.Response:
        auth = None if auth is None else arguments.word(auth, "auth", "the name of a scheme, or None")
        if auth is not None and auth not in self.session.schemes:
            self.missing_scheme(auth)
        path = arguments.text(path, "path", "a path, or a URL of the vendor")
        params = arguments.parameters({} if params is None else params, "params")
        json = None if json is None else arguments.json_value(json, "json")
        call = Call(method, path, params=params, json=json, accept="any", scheme=auth)
        # The prepared URL decides, without dots and blanks: "/delete?/query" only ends like a path that reads.
        url = str(self.session.prepare(call).url)
        only_reads = origin_of(url) == origin_of(self.base_url) and self.may_repeat(method, urlsplit(url).path)
        call = replace(call, repeatable=call.may_repeat() or only_reads)
        require_writable(call, writable=self.writable)
        return self.session.send(call)

    @property
    def exchanges(self) -> pd.DataFrame:
        """One row per recent HTTP exchange, including those for authentication. Credentials are masked."""
        return frame_of_exchanges(self.session.exchanges.all())

    def missing_scheme(self, name: str) -> NoReturn:
        """Raise the error for an authentication scheme that does not exist or has no credentials."""
        what = f"{self.title} has no authentication scheme {name!r}."
        raise UsageError(what, remedy=suggestion(name, [known for known in self.session.schemes if known != "default"]))

    def __getattr__(self, name: str) -> BoundResource:
        resources = self.__dict__.get("declared", {})
        if name not in resources:
            unknown_name(self, type(self).__name__, name, resources)
        return BoundResource(self, self.settings, resources[name])

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.declared]

    def __repr__(self) -> str:
        parts = [f"{len(self.declared)} resources", *self.endpoint.remarks.values()]
        return f"<{self.title} at {self.endpoint.base_url}, {'; '.join(parts)}>"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A client")
