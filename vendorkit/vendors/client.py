"""What the vendors share: where they are, and the client."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import urlsplit

import pandas as pd
import requests
from requests.auth import AuthBase

from vendorkit.ask import suggestion
from vendorkit.errors import UsageError
from vendorkit.http.call import Call, Policy, require_writable
from vendorkit.http.session import Session
from vendorkit.http.tls import Trust
from vendorkit.resource import BoundResource, Resource
from vendorkit.settings import Redactor, Settings, refuse_pickling

# Settings that may be shown, so that messages about them stay readable.
_NO_SECRETS: Final = ("_UID", "_COUNTRY", "_ENVIRONMENT", "_BASE_URL", "_ISSUER")


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
    beside: ClassVar[str] = ""  # one sentence on what the vendor has that no query asks for

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
        """Tell whether a raw call to *path*, which comes without a query, only reads, although its method may write."""
        return method in ("GET", "HEAD")

    def ping(self) -> str:
        """Make the cheapest authenticated call, and return one sentence on what came back."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """The vendor and the environment, for messages."""
        return f"{self.label} ({self.environment})"

    @property
    def declared(self) -> Mapping[str, Resource]:
        """The declared resources by name; `resources` shows them as a table."""
        return self._resources

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
        # The path alone as it will be sent: what only ends like one that reads, behind a ? or #, may write.
        repeatable = self.may_repeat(method, urlsplit(self.session.absolute(path)).path.rstrip("/"))
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
